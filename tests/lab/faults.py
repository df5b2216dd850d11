"""What breaks a site, and how: each fault with the causes that `fix-502` has to name for it."""

from tests.lab.breaking import Fault
from tests.lab.faults_network import FIREWALLS, NETWORK, RULE
from tests.lab.site import Manager

SYSTEMD, SUPERVISOR, PROCESS = Manager.SYSTEMD, Manager.SUPERVISOR, Manager.PROCESS
MANAGED = (SYSTEMD, SUPERVISOR)
BANDARUPAY = (SYSTEMD, PROCESS)

_FOREIGN = """
systemd-run --quiet --unit=lab-foreign --working-directory=/mnt \
  /usr/bin/python3 -m http.server %d --bind %s
until ss -Hltn "sport = :%d" | grep -q .; do sleep 0.1; done
"""

_RELOAD = "nginx -t 2>&- && nginx -s reload; sleep 0.5"
_KEEP = 'cp -p "$CONFIG" /run/lab-site'
_PUT_BACK = f'cp -p /run/lab-site "$CONFIG"; systemctl start nginx; {_RELOAD}'
_KEEP_MAIN = "cp -p $DIRECTORY/main.py /run/lab-main"
_PUT_BACK_MAIN = "cp -p /run/lab-main $DIRECTORY/main.py; restart"

_BACKEND_FAULTS = (
    Fault(name="backend stopped", causes=("backend_stopped",), breaks="stop"),
    Fault(
        name="crashed until its manager gave up",
        causes=("start_limit",),
        managers=MANAGED,
        breaks=f"""
          {_KEEP_MAIN}; sed -i '1i raise SystemExit(3)' $DIRECTORY/main.py; stop
          start; if [ "$NAME" = webmagic ]; then
            until supervisorctl status webmagic-api | grep FATAL; do sleep 0.5; done
          else until systemctl is-failed $unit; do sleep 0.5; done; fi
          cp -p /run/lab-main $DIRECTORY/main.py""",
    ),
    Fault(
        name="killed, and its manager does not restart it",
        causes=("backend_crashed",),
        managers=(SYSTEMD,),
        breaks="""
          mkdir /run/systemd/system/$unit.service.d
          printf '[Service]\\nRestart=no\\n' > /run/systemd/system/$unit.service.d/lab.conf
          systemctl daemon-reload; systemctl kill --signal=SEGV $unit
          until systemctl is-failed $unit; do sleep 0.2; done""",
        mends="rm -r /run/systemd/system/$unit.service.d; systemctl daemon-reload",
    ),
    Fault(
        name="import error",
        causes=("import_error",),
        repairable=False,
        managers=BANDARUPAY,
        breaks=f"{_KEEP_MAIN}; sed -i 's/services.auth import auth/services.auth import login/' "
        "$DIRECTORY/main.py; restart; sleep 4",
        shows="echo main.py; echo services.auth; grep -n 'import login' $DIRECTORY/main.py | cut -d: -f1",
        mends=_PUT_BACK_MAIN,
    ),
    *(
        Fault(
            name=name,
            causes=("import_error",),
            managers=(SUPERVISOR,),
            breaks=f"cd $DIRECTORY; git reset --quiet --hard {commit}; restart",
            shows=f"echo {module}; echo scrapes.py; "
            f"grep -n '{line}' $DIRECTORY/api/v1/endpoints/scrapes.py | cut -d: -f1",
            mends="cd $DIRECTORY; git reset --quiet --hard origin/main; start",
        )
        for name, commit, module, line in (
            ("auth imported from where it is not", "origin/main~5", "core.auth", "from core.auth"),
            ("model not exported", "origin/main~3", "ScrapeSession", "import ScrapeSession"),
        )
    ),
    Fault(
        name="third-party package missing",
        causes=("package_missing",),
        repairable=False,
        settings={"backend_requirements": ""},
        breaks=f"{_KEEP_MAIN}; sed -i '3i import weasyprint' $DIRECTORY/main.py; restart; sleep 2",
        shows="echo weasyprint; echo main.py",
        mends=_PUT_BACK_MAIN,
    ),
    Fault(
        name="another process on its port",
        causes=("port_taken",),
        breaks=f"stop; {_FOREIGN % (8000, '127.0.0.1', 8000)}",
        shows="pid; echo http.server",
        mends="systemctl stop lab-foreign 2>&- || true; systemctl reset-failed lab-foreign 2>&- || true",
    ),
    Fault(
        name="stopped in its tracks (SIGSTOP)",
        causes=("backend_hanging",),
        breaks="kill -STOP $(pid)",
        shows="pid",
    ),
    Fault(
        name="runs and does not listen",
        causes=("backend_silent",),
        managers=MANAGED,
        breaks=f"""
          {_KEEP_MAIN}; stop
          sed -i '1i import time; time.sleep(900)' $DIRECTORY/main.py; start; sleep 4
          cp -p /run/lab-main $DIRECTORY/main.py""",
    ),
    Fault(
        name="listens on another address",
        causes=("address_wrong",),
        repairable=False,
        managers=BANDARUPAY[:1],
        breaks=f"{_KEEP_MAIN}; sed -i 's/127.0.0.1/127.0.0.2/' $DIRECTORY/main.py; restart\n"
        "until ss -Hltn 'sport = :8000' | grep -q 127.0.0.2; do sleep 0.2; done",
        shows="echo 127.0.0.2",
        mends=_PUT_BACK_MAIN,
    ),
    Fault(
        name="listens on another port",
        causes=("port_wrong",),
        repairable=False,
        managers=BANDARUPAY[:1],
        breaks=f"{_KEEP_MAIN}; sed -i 's/port=8000/port=8005/' $DIRECTORY/main.py; restart\n"
        "until ss -Hltn 'sport = :8005' | grep -q .; do sleep 0.2; done",
        shows="echo 8005",
        mends=_PUT_BACK_MAIN,
    ),
    Fault(
        name="working directory missing",
        causes=("directory_missing",),
        repairable=False,
        breaks="stop; mv $DIRECTORY $DIRECTORY.away",
        shows="echo $DIRECTORY",
        mends="mv $DIRECTORY.away $DIRECTORY; start",
    ),
    Fault(
        name="virtual environment missing",
        causes=("virtualenv_missing",),
        repairable=False,
        breaks="stop; mv $PYTHON $PYTHON.away",
        shows="echo $PYTHON",
        mends="mv $PYTHON.away $PYTHON; start",
    ),
    Fault(
        name="Python of the wrong version",
        causes=("python_wrong",),
        repairable=False,
        settings={"backend_python_version": "3.11"},
        breaks="""stop; mv $PYTHON $PYTHON.away
          printf '#!/bin/sh\\necho Python 3.8.20\\n' > $PYTHON; chmod +x $PYTHON""",
        shows="echo 3.8.20",
        mends="mv $PYTHON.away $PYTHON; start",
    ),
    Fault(
        name="log directory missing",
        causes=("log_unwritable",),
        breaks="stop; mv $(dirname $LOG) /run/lab-log; start; sleep 1",
        mends="rm -rf /run/lab-log",
    ),
    Fault(
        name="log directory not the service's",
        causes=("log_unwritable",),
        managers=(PROCESS,),
        breaks="stop; d=$(dirname $LOG); chown -R root $d; chmod 700 $d",
        mends="chown $NAME $LOG",
    ),
    Fault(
        name="answers with errors of its own",
        causes=("backend_failing",),
        repairable=False,
        breaks=f"{_KEEP_MAIN}; sed -i 's/^def health.*/&\\n    1 \\/ 0/' $DIRECTORY/main.py; restart\n"
        "until curl -s 127.0.0.1:8000/health | grep -q Error; do sleep 0.2; done",
        shows="echo 500",
        mends=_PUT_BACK_MAIN,
    ),
    Fault(
        name="too slow",
        causes=("backend_slow",),
        repairable=False,
        breaks=f"""{_KEEP_MAIN}
          sed -i 's/^def health.*/&\\n    __import__("time").sleep(8)/' $DIRECTORY/main.py; restart
          until ss -Hltn "sport = :8000" | grep -q .; do sleep 0.2; done""",
        mends=_PUT_BACK_MAIN,
    ),
)

_SERVERS = (
    Fault(
        name="PostgreSQL stopped",
        causes=("database_down",),
        breaks="systemctl stop postgresql@15-main",
        shows="echo refused",
    ),
    Fault(
        name="Redis stopped",
        causes=("redis_down",),
        managers=(SUPERVISOR,),
        breaks="systemctl stop redis-server",
        shows="echo refused",
    ),
    Fault(
        name="Celery stopped",
        causes=("celery_stopped",),
        managers=(SUPERVISOR,),
        breaks="supervisorctl stop webmagic-celery",
    ),
    Fault(
        name="database refuses the application",
        causes=("database_refused",),
        repairable=False,
        managers=(SUPERVISOR,),
        breaks="cp -p $DIRECTORY/.env /run/lab-env; sed -i 's/webmagic@/wrong@/' $DIRECTORY/.env\n"
        "restart; until_answers",
        shows="echo disconnected",
        mends="cp -p /run/lab-env $DIRECTORY/.env; restart",
    ),
    Fault(
        name="login path that is not there",
        causes=("login_path_wrong",),
        repairable=False,
        settings={"login_path": "/api/v1/sign-in"},
        breaks="",
        shows="echo 404",
    ),
    Fault(
        name="front page that is not there",
        causes=("front_missing",),
        repairable=False,
        settings={"front_path": "/start"},
        breaks="",
        shows="echo 404",
    ),
)

_NGINX = (
    Fault(name="nginx stopped", causes=("nginx_stopped",), breaks="systemctl stop nginx"),
    Fault(
        name="nginx stopped, its port taken",
        causes=("web_port_taken",),
        repairable=False,
        breaks=f"systemctl stop nginx; {_FOREIGN % (80, '0.0.0.0', 80)}",
        shows="echo http.server; systemctl show --property=MainPID --value lab-foreign",
        mends="systemctl stop lab-foreign; systemctl reset-failed lab-foreign 2>&- || true; systemctl start nginx",
    ),
    Fault(
        name="unknown directive, nginx stopped",
        causes=("nginx_config_broken",),
        breaks="sed -i '2i lab_unknown on;' $CONFIG; systemctl stop nginx",
        shows="echo lab_unknown; basename $CONFIG",
    ),
    Fault(
        name="unknown directive, nginx still serving",
        causes=("nginx_config_broken",),
        breaks="sed -i '2i lab_unknown on;' $CONFIG",
        shows="echo lab_unknown; basename $CONFIG",
    ),
    Fault(
        name="upstream of the wrong port",
        causes=("upstream_wrong",),
        breaks=f"sed -i 's/127.0.0.1:8000/127.0.0.1:8001/' $CONFIG; {_RELOAD}",
        shows="echo 8001",
    ),
    Fault(
        name="upstream of the wrong address",
        causes=("upstream_wrong",),
        breaks=f"sed -i 's/127.0.0.1:8000/127.0.0.9:8000/' $CONFIG; {_RELOAD}",
        shows="echo 127.0.0.9",
    ),
    Fault(
        name="upstream block missing",
        causes=("upstream_missing",),
        breaks="sed -i '/^upstream/,/^}/d' $CONFIG; systemctl stop nginx",
        shows="echo $UPSTREAM",
    ),
    Fault(
        name="location missing",
        causes=("location_missing",),
        breaks=f"{_KEEP}; sed -i 's|location / |location /elsewhere/ |' $CONFIG; {_RELOAD}",
        mends=_PUT_BACK,
    ),
    Fault(
        name="time-outs too short",
        causes=("timeouts_short",),
        breaks=f"""{_KEEP}; {_KEEP_MAIN}
          sed -i 's/proxy_read_timeout 5s/proxy_read_timeout 1s/' $CONFIG
          sed -i 's/^def health.*/&\\n    __import__("time").sleep(2)/' $DIRECTORY/main.py; restart
          until curl -sf -m 9 -o /dev/null 127.0.0.1:8000/health; do sleep 0.2; done; {_RELOAD}""",
        mends=f"{_PUT_BACK}; {_PUT_BACK_MAIN}",
    ),
    Fault(
        name="header not handed on",
        causes=("headers_missing",),
        breaks=f"{_KEEP}; sed -i '/X-Real-IP/d' $CONFIG; {_RELOAD}",
        mends=_PUT_BACK,
    ),
    Fault(
        name="no server of the site's name",
        causes=("site_disabled",),
        repairable=False,
        breaks=f"""rm /etc/nginx/sites-enabled/*
          echo 'server {{ listen 80 default_server; return 404; }}' > /etc/nginx/sites-enabled/lab
          {_RELOAD}""",
        mends=f"rm /etc/nginx/sites-enabled/lab; ln -s ../sites-available/$(basename $CONFIG) /etc/nginx/sites-enabled/; {_RELOAD}",
    ),
)

_FILL = "dd if=/dev/zero of=%s bs=64k 2>&- || true"
_OLD_LOG = "/var/log/nginx/access.log.9.gz"

_RESOURCES = (
    Fault(
        name="disk full of old logs, backend stopped",
        causes=("disk_full", "backend_stopped"),
        breaks=f"stop; {_FILL % _OLD_LOG}; touch -d '30 days ago' {_OLD_LOG}",
        mends=f"rm -f {_OLD_LOG}",
    ),
    Fault(
        name="disk full of nobody knows what, backend stopped",
        causes=("disk_full",),
        repairable=False,
        breaks=f"stop; {_FILL % '/home/deploy/filler'}",
        mends="rm -f /home/deploy/filler; start",
    ),
    Fault(
        name="no inodes for logs, backend stopped",
        causes=("inodes_exhausted",),
        repairable=False,
        breaks="""
          stop; d=$(dirname $LOG); mount -t tmpfs -o nr_inodes=20,mode=777 lab $d
          i=0; while touch $d/filler.$i 2>&-; do i=$((i + 1)); done""",
        mends="umount $(dirname $LOG); start",
    ),
    Fault(
        name="out of open files",
        causes=("fd_limit",),
        managers=(SYSTEMD,),
        breaks="""
          mkdir /run/systemd/system/$unit.service.d
          printf '[Service]\\nLimitNOFILE=%d\\n' $(($(ls /proc/$(pid)/fd | wc -l) + 4)) \\
            > /run/systemd/system/$unit.service.d/00-lab.conf
          systemctl daemon-reload; restart; until_answers
          systemd-run --quiet --unit=lab-crowd /usr/bin/python3 -c 'import socket, time
all = [socket.create_connection(("127.0.0.1", 8000)) for _ in range(30)]
time.sleep(900)'
          sleep 2""",
        mends="""systemctl stop lab-crowd; systemctl reset-failed lab-crowd 2>&- || true
          rm -rf /etc/systemd/system/$unit.service.d /run/systemd/system/$unit.service.d
          systemctl daemon-reload; restart""",
    ),
)

_PAIRS = (
    Fault(
        name="backend stopped + upstream of the wrong port",
        causes=("backend_stopped", "upstream_wrong"),
        breaks=f"stop; sed -i 's/127.0.0.1:8000/127.0.0.1:8001/' $CONFIG; {_RELOAD}",
        shows="echo 8001",
    ),
    Fault(
        name="PostgreSQL + nginx stopped",
        causes=("database_down", "nginx_stopped"),
        breaks="systemctl stop postgresql@15-main nginx",
    ),
    Fault(
        name="firewall: iptables REJECT + configuration broken",
        causes=("firewall_blocking", "nginx_config_broken"),
        breaks=f"{_KEEP}; iptables -I {RULE} -j REJECT; sed -i '2i lab_unknown on;' $CONFIG",
        shows="echo REJECT",
        mends=f"iptables -F INPUT; {_PUT_BACK}",
    ),
)

FAULTS = (
    *_BACKEND_FAULTS,
    *_SERVERS,
    *_NGINX,
    *FIREWALLS,
    *NETWORK,
    *_RESOURCES,
    *_PAIRS,
)
"""All that is tried."""

NOT_RUN = {
    "oom_killed": "its manager knows only where control groups are version 2, and not on every machine",
    "certificate_expired": "openssl on the hosts refuses to make a certificate that has ended",
    "memory_exhausted": "a host of the lab sees the memory of the whole machine",
    "cpu_exhausted": "it would take the processors of the whole machine from everybody",
    "docker compose": "there is no container engine on a host of the lab",
    "SELinux": "the hosts are Debian; SELinux belongs to the machine's kernel",
    "RHEL family": "there is no source of its packages on a Debian machine",
}
"""What is not tried, and why."""
