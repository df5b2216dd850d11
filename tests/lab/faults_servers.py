"""Faults of what a backend stands on: its servers, the disk, limits."""

from runbook.model.verdict import Verdict
from tests.lab.breaking import Fault
from tests.lab.site import Manager

SYSTEMD, SUPERVISOR = Manager.SYSTEMD, Manager.SUPERVISOR
ESCALATED = Verdict.ESCALATED

FILL = "dd if=/dev/zero of=%s bs=64k 2>&- || true"
OLD_LOG = "/var/log/nginx/access.log.9.gz"

SERVERS = (
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
        verdict=ESCALATED,
        managers=(SUPERVISOR,),
        breaks="cp -p $DIRECTORY/.env /run/lab-env; sed -i 's/webmagic@/wrong@/' $DIRECTORY/.env\n"
        "restart; until_answers",
        shows="echo disconnected",
        mends="cp -p /run/lab-env $DIRECTORY/.env; restart",
    ),
    Fault(
        name="login path that is not there",
        causes=("login_path_wrong",),
        verdict=ESCALATED,
        settings={"login_path": "/api/v1/sign-in"},
        breaks="",
        shows="echo 404",
    ),
    Fault(
        name="front page that is not there",
        causes=("front_missing",),
        verdict=ESCALATED,
        settings={"front_path": "/start"},
        breaks="",
        shows="echo 404",
    ),
)

# A host has the machine's processors and memory, so its own figures of them are put in place. What
# makes them matter is real: the backend takes longer than anybody waits.
_SLOW = """
keep_main; sed -i 's/^def health.*/&\\n    __import__("time").sleep(8)/' $DIRECTORY/main.py; restart
until ss -Hltn "sport = :8000" | grep -q .; do sleep 0.2; done
"""

RESOURCES = (
    Fault(
        name="disk full of old logs, backend stopped",
        causes=("disk_full", "backend_stopped"),
        breaks=f"stop; {FILL % OLD_LOG}; touch -d '30 days ago' {OLD_LOG}",
        mends=f"rm -f {OLD_LOG}",
    ),
    Fault(
        name="disk full of nobody knows what, backend stopped",
        causes=("disk_full",),
        verdict=ESCALATED,
        in_vain=1,
        breaks=f"stop; {FILL % '/home/deploy/filler'}",
        mends="rm -f /home/deploy/filler; start",
    ),
    Fault(
        name="no inodes for logs, backend stopped",
        causes=("inodes_exhausted",),
        verdict=ESCALATED,
        in_vain=1,
        breaks="""
          stop; d=$(dirname $LOG); mount -t tmpfs -o nr_inodes=20,mode=777 lab $d
          i=0; while touch $d/filler.$i 2>&-; do i=$((i + 1)); done""",
        mends="umount $(dirname $LOG); start",
    ),
    Fault(
        name="out of open files",
        causes=("fd_limit",),
        # A host can raise no limit beyond the machine's own.
        settings={"backend_open_files": 2048},
        breaks="""
          if [ $MANAGER = supervisor ]; then cp -p /etc/supervisor/supervisord.conf /run/; fi
          # It tries for a file thousands of times a second; all others of its host come first.
          p=$(pid); n=$(($(ls /proc/$p/fd | wc -l) + 4)); renice -n 19 -p $p
          setpriv --reuid $NAME --regid $NAME --clear-groups prlimit --pid $p --nofile=$n:$n
          systemd-run --quiet --unit=lab-crowd /usr/bin/python3 -c 'import socket, time
all = [socket.create_connection(("127.0.0.1", 8000)) for _ in range(30)]
time.sleep(900)'
          sleep 2""",
        shows="pid",
        mends="""systemctl stop lab-crowd; systemctl reset-failed lab-crowd 2>&- || true
          if [ $MANAGER = systemd ]; then
            rm -rf /etc/systemd/system/$unit.service.d; systemctl daemon-reload; restart; fi
          if [ $MANAGER = supervisor ]; then cp -p /run/supervisord.conf /etc/supervisor/; fi""",
    ),
    Fault(
        name="more to compute than it can",
        causes=("cpu_exhausted",),
        verdict=ESCALATED,
        breaks=f"{_SLOW}echo 964.00 800.00 500.00 965/999 1 > /proc/loadavg",
        shows="echo 964",
        mends="echo 0.00 0.00 0.00 1/100 1 > /proc/loadavg; put_back_main",
    ),
    Fault(
        name="no memory left",
        causes=("memory_exhausted",),
        verdict=ESCALATED,
        breaks=f"{_SLOW}sed -E 's/^(MemAvailable|SwapFree): .*/\\1: 4096 kB/' /proc/meminfo > /run/lab-memory\n"
        "mount --bind /run/lab-memory /proc/meminfo",
        shows="echo 4194304",
        mends="umount /proc/meminfo; put_back_main",
    ),
)
