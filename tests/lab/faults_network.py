"""Faults between nginx and the backend, and between the site and the world."""

from runbook.model.verdict import Verdict
from tests.lab.breaking import Fault

RULE = "INPUT -i lo -p tcp --dport 8000"
_UFW_RULE = "-A ufw-before-input -i lo -p tcp --dport 8000 -j"
# It keeps what it forgets, under the time. Of its chains nothing is left: from what others flushed, it
# would take them for whole.
_FORGET_UFW = "ufw --force reset; rm /etc/ufw/*.rules.20*; iptables -F; iptables -X; ip6tables -F; ip6tables -X"
_OLD_UFW = f"{_FORGET_UFW}; cp -p /run/before.rules /run/ufw.conf /etc/ufw/"
_NFT = (
    "nft add table inet lab; nft add chain inet lab input '{ type filter hook input priority 0; }'"
)

FIREWALLS = (
    *(
        Fault(
            name=f"firewall: iptables {target}",
            causes=("firewall_blocking",),
            breaks=f"iptables -I {RULE} -j {target}",
            shows=f"echo {target}; echo 8000",
            mends="iptables -F INPUT",
        )
        for target in ("REJECT", "DROP")
    ),
    *(
        Fault(
            name=f"firewall: nft {verdict}",
            causes=("firewall_blocking",),
            breaks=f"{_NFT}; nft add rule inet lab input iifname lo tcp dport 8000 {verdict}",
            shows=f"echo {verdict}; echo 8000",
            mends="nft delete table inet lab",
        )
        for verdict in ("reject", "drop")
    ),
    # What users tell ufw comes after its own rule for loopback: to block this, somebody has to write
    # into ufw's own file, or to take that rule away.
    *(
        Fault(
            name=f"firewall: ufw {target}",
            causes=("firewall_blocking",),
            breaks=f"""cp -p /etc/ufw/before.rules /etc/ufw/ufw.conf /run/
              sed -i '/ufw-before-input -i lo/i {_UFW_RULE} {target}' /etc/ufw/before.rules
              ufw allow 22/tcp; ufw allow 80/tcp; ufw --force enable""",
            shows=f"echo {target}; echo 8000",
            mends=_OLD_UFW,
        )
        for target in ("REJECT", "DROP")
    ),
    # It lets go on what is connected already, so nginx has to connect anew.
    Fault(
        name="firewall: ufw told to reject",
        causes=("firewall_blocking",),
        breaks="""cp -p /etc/ufw/before.rules /etc/ufw/ufw.conf /run/
          sed -i '/ufw-before-input -i lo/d' /etc/ufw/before.rules
          ufw reject 8000/tcp; ufw allow in on lo; ufw allow 22/tcp; ufw allow 80/tcp
          ufw --force enable; nginx -s reload""",
        shows="echo ufw-user-input; echo 8000",
        mends=_OLD_UFW,
    ),
    Fault(
        name="firewall: nginx's user rejected",
        causes=("proxy_forbidden",),
        verdict=Verdict.ESCALATED,
        breaks="iptables -I OUTPUT -p tcp --dport 8000 -m owner --uid-owner www-data -j REJECT",
        mends="iptables -D OUTPUT -p tcp --dport 8000 -m owner --uid-owner www-data -j REJECT",
    ),
)

_CERTIFICATE = """
cp -p /etc/ssl/certs/site.pem /run/lab-pem
%s
nginx -s reload; sleep 0.5
"""
_OF_ANOTHER_NAME = """
openssl req -x509 -key /etc/ssl/private/site.key -days 30 -subj /CN=other.example \
  -addext subjectAltName=DNS:other.example -out /etc/ssl/certs/site.pem
"""
# Only openssl's authority for tests makes certificates whose time is over.
_ENDED = """
mkdir /run/lab-ca; cd /run/lab-ca; touch index
printf '%s\\n' '[ca]' 'default_ca = old' '[old]' 'database = index' 'rand_serial = yes' \
  'new_certs_dir = .' 'default_md = sha256' 'policy = any' 'copy_extensions = copy' \
  '[any]' 'commonName = supplied' > configuration
openssl req -new -key /etc/ssl/private/site.key -subj "/CN=$SERVER" \
  -addext "subjectAltName=DNS:$SERVER" -out request
openssl ca -batch -selfsign -notext -config configuration -in request \
  -keyfile /etc/ssl/private/site.key -startdate 20200101000000Z -enddate 20200201000000Z \
  -out /etc/ssl/certs/site.pem 2> complaints
cd /; rm -r /run/lab-ca
"""
_OLD_CERTIFICATE = """
cp -p /run/lab-pem /etc/ssl/certs/site.pem; nginx -s reload; sleep 0.5
"""

NETWORK = (
    Fault(
        name="name resolves elsewhere",
        causes=("dns_wrong",),
        verdict=Verdict.ESCALATED,
        settings={"dns_addresses": ["192.0.2.7"]},
        breaks='cat /etc/hosts > /run/lab-hosts; sed "s/.*$SERVER/192.0.2.9 $SERVER/" /run/lab-hosts > /etc/hosts',
        shows="echo 192.0.2.9",
        mends="cat /run/lab-hosts > /etc/hosts",
    ),
    Fault(
        name="certificate of another name",
        causes=("certificate_mismatch",),
        verdict=Verdict.ESCALATED,
        breaks=_CERTIFICATE % _OF_ANOTHER_NAME,
        shows="echo other.example",
        mends=_OLD_CERTIFICATE,
    ),
    Fault(
        name="certificate that has ended",
        causes=("certificate_expired",),
        verdict=Verdict.ESCALATED,
        breaks=_CERTIFICATE % _ENDED,
        shows="date --date=2020-02-01T00:00Z +%s",
        mends=_OLD_CERTIFICATE,
    ),
    Fault(
        name="ufw keeps the world from port 80",
        causes=("edge_failing",),
        verdict=Verdict.ESCALATED,
        settings={"edge_url": "http://{{ ansible_host }}"},
        breaks="ufw allow 22/tcp; ufw deny 80/tcp; ufw --force enable",
        shows="echo timeout",
        mends=_FORGET_UFW,
    ),
    Fault(
        name="the edge serves something else",
        causes=("edge_failing",),
        verdict=Verdict.ESCALATED,
        settings={"edge_url": "http://{{ ansible_host }}:8443"},
        breaks="foreign 8443 0.0.0.0",
        shows="echo 404",
        mends="end_foreign",
    ),
    Fault(
        name="no network",
        causes=(),
        verdict=Verdict.UNKNOWN,
        breaks="ip link set eth0 down",
        mends="ip link set eth0 up",
    ),
)
