"""Faults between nginx and the backend, and between the site and the world."""

from runbook.model.verdict import Verdict
from tests.lab.breaking import Fault

RULE = "INPUT -i lo -p tcp --dport 8000"
_UFW_RULE = "-A ufw-before-input -i lo -p tcp --dport 8000 -j"
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
    # What users tell ufw comes after its own rule for loopback, so only such a file blocks this.
    *(
        Fault(
            name=f"firewall: ufw {target}",
            causes=("firewall_blocking",),
            breaks=f"""cp -p /etc/ufw/before.rules /etc/ufw/ufw.conf /run/
              sed -i '/ufw-before-input -i lo/i {_UFW_RULE} {target}' /etc/ufw/before.rules
              ufw allow 22/tcp; ufw allow 80/tcp; ufw --force enable""",
            shows=f"echo {target}; echo 8000",
            mends="ufw --force reset; iptables -F INPUT; cp -p /run/before.rules /run/ufw.conf /etc/ufw/",
        )
        for target in ("REJECT", "DROP")
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
cp -p /etc/ssl/certs/site.pem /run/lab-pem; cp -p /etc/ssl/private/site.key /run/lab-key
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=%s \
  -addext subjectAltName=DNS:%s -keyout /etc/ssl/private/site.key -out /etc/ssl/certs/site.pem 2>&-
sleep 1.5; nginx -s reload; sleep 0.5
"""
_OLD_CERTIFICATE = """
cp -p /run/lab-pem /etc/ssl/certs/site.pem; cp -p /run/lab-key /etc/ssl/private/site.key
nginx -s reload; sleep 0.5
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
        breaks=_CERTIFICATE % ("other.example", "other.example"),
        shows="echo other.example",
        mends=_OLD_CERTIFICATE,
    ),
    Fault(
        name="ufw keeps the world from port 80",
        causes=("edge_failing",),
        verdict=Verdict.ESCALATED,
        settings={"edge_url": "http://{{ ansible_host }}"},
        breaks="ufw allow 22/tcp; ufw deny 80/tcp; ufw --force enable",
        shows="echo timeout",
        mends="ufw --force reset",
    ),
)
