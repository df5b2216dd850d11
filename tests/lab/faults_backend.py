"""Faults of the backend itself."""

from runbook.model.verdict import Verdict
from tests.lab.breaking import Fault
from tests.lab.site import Manager

SYSTEMD, SUPERVISOR, PROCESS = Manager.SYSTEMD, Manager.SUPERVISOR, Manager.PROCESS
MANAGED = (SYSTEMD, SUPERVISOR)
BANDARUPAY = (SYSTEMD, PROCESS)
ESCALATED = Verdict.ESCALATED

CRASH = """
keep_main; sed -i '1i raise SystemExit(3)' $DIRECTORY/main.py; restart
if [ $MANAGER = supervisor ]; then
  until supervisorctl status webmagic-api | grep FATAL; do sleep 0.5; done
else until systemctl is-failed $unit; do sleep 0.5; done; fi
cp -p /run/lab-main $DIRECTORY/main.py
"""
"""It ended again and again until its manager gave up; what ended it is gone."""

# Text to insert before the first route, as the one line that sed takes.
_BEFORE_HEALTH = r"0,/^@app.get/s//"
_BLOCK = (
    r"@app.get(\"\/block\")\nasync def block() -> None:\n"
    r"    __import__(\"time\").sleep(900)\n\n\n&/"
)

# By turns it holds its port, for longer than anybody counts it as young or waits, and nobody does.
_HALF_ALIVE = (
    r"import socket, time; _server = socket.create_server((\"127.0.0.1\", 8000)); time.sleep(6); "
    r"raise RuntimeError(\"the licence has ended\")"
)

BACKEND = (
    Fault(name="backend stopped", causes=("backend_stopped",), breaks="stop"),
    Fault(
        name="crashes and is started by turns",
        causes=("crash_loop",),
        verdict=ESCALATED,
        managers=MANAGED,
        breaks=f"keep_main; sed -i '1i {_HALF_ALIVE}' $DIRECTORY/main.py; restart\n"
        "until grep -q 'the licence has ended' $LOG; do sleep 0.2; done",
        shows="echo the licence has ended; echo $DIRECTORY/main.py",
        mends="put_back_main",
    ),
    Fault(
        name="crashed until its manager gave up",
        causes=("start_limit",),
        managers=MANAGED,
        breaks=CRASH,
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
        name="killed for lack of memory",
        causes=("oom_killed",),
        managers=MANAGED,
        # To the unit more can be given; what supervisor starts is mended, and shares its memory.
        settings={"backend_memory_max": "1G"},
        breaks="""
          keep_main; sed -i '1i _all = bytearray(b"x") * (400 << 20)' $DIRECTORY/main.py
          if [ $MANAGER = supervisor ]; then
            systemctl set-property --runtime supervisor.service MemoryMax=300M MemorySwapMax=0; restart
            until supervisorctl status webmagic-api | grep FATAL; do sleep 0.5; done
            cp -p /run/lab-main $DIRECTORY/main.py
          else
            d=/run/systemd/system/$unit.service.d; mkdir $d
            printf '[Service]\\nMemoryMax=150M\\nMemorySwapMax=0\\n' > $d/10-lab.conf
            systemctl daemon-reload; restart; until systemctl is-failed $unit; do sleep 0.5; done
          fi
          # Whoever logs in to a host of the lab may not read what the machine's kernel says, of it as well.
          dmesg | grep "oom-kill:.*/$(hostname)/" > /run/lab-kernel || true
          printf '#!/bin/sh\\ncat /run/lab-kernel\\n' > /usr/local/bin/dmesg
          chmod +x /usr/local/bin/dmesg""",
        shows="echo oom-kill",
        mends="""
          rm /usr/local/bin/dmesg
          if [ $MANAGER = supervisor ]; then systemctl revert supervisor.service
          else
            rm -rf /run/systemd/system/$unit.service.d /etc/systemd/system/$unit.service.d
            systemctl daemon-reload; put_back_main
          fi""",
    ),
    Fault(
        name="import error",
        causes=("import_error",),
        verdict=ESCALATED,
        managers=BANDARUPAY,
        breaks="keep_main; sed -i 's/services.auth import auth/services.auth import login/' "
        "$DIRECTORY/main.py; restart; sleep 4",
        shows="echo main.py; echo services.auth; grep -n 'import login' $DIRECTORY/main.py | cut -d: -f1",
        mends="put_back_main",
    ),
    *(
        Fault(
            name=name,
            causes=("import_error",),
            managers=(SUPERVISOR,),
            breaks=f"cd $DIRECTORY; git reset --quiet --hard {commit}; restart",
            followed_up=1,
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
        verdict=ESCALATED,
        settings={"backend_requirements": ""},
        breaks="keep_main; sed -i '3i import weasyprint' $DIRECTORY/main.py; restart; sleep 2",
        shows="echo weasyprint; echo main.py",
        mends="put_back_main",
    ),
    Fault(
        name="another process on its port",
        causes=("port_taken",),
        breaks="stop; foreign 8000 127.0.0.1",
        shows="pid; echo http.server",
        mends="end_foreign",
    ),
    Fault(
        name="left over from an earlier start, and stopped",
        causes=("port_taken",),
        managers=MANAGED,
        # It was started with the same words, and not by its manager, which starts another in vain.
        breaks="""
          words=$(tr '\\0' ' ' < /proc/$(pid)/cmdline); stop; cd $DIRECTORY
          setsid setpriv --reuid $NAME --regid $NAME --init-groups $words < /dev/null > /dev/null 2>&1 &
          cd /; until_answers; kill -STOP $(pid); sleep 10; start""",
        shows="pid",
    ),
    Fault(
        name="stopped in its tracks (SIGSTOP)",
        causes=("backend_hanging",),
        breaks="kill -STOP $(pid)",
        shows="pid",
    ),
    Fault(
        name="its event loop blocked",
        causes=("backend_hanging",),
        breaks=f"""
          keep_main; sed -i '{_BEFORE_HEALTH}{_BLOCK}' $DIRECTORY/main.py; restart; until_answers
          cp -p /run/lab-main $DIRECTORY/main.py; curl -s -m 1 127.0.0.1:8000/block || true""",
        shows="echo timeout",
    ),
    Fault(
        name="runs and does not listen",
        causes=("backend_silent",),
        managers=MANAGED,
        breaks="""
          keep_main; stop
          sed -i '1i import time; time.sleep(900)' $DIRECTORY/main.py; start; sleep 4
          cp -p /run/lab-main $DIRECTORY/main.py""",
    ),
    Fault(
        name="listens on another address",
        causes=("address_wrong",),
        verdict=ESCALATED,
        managers=BANDARUPAY[:1],
        breaks="keep_main; sed -i 's/127.0.0.1/127.0.0.2/' $DIRECTORY/main.py; restart\n"
        "until ss -Hltn 'sport = :8000' | grep -q 127.0.0.2; do sleep 0.2; done",
        shows="echo 127.0.0.2",
        mends="put_back_main",
    ),
    Fault(
        name="listens on another port",
        causes=("port_wrong",),
        verdict=ESCALATED,
        managers=BANDARUPAY[:1],
        breaks="keep_main; sed -i 's/port=8000/port=8005/' $DIRECTORY/main.py; restart\n"
        "until ss -Hltn 'sport = :8005' | grep -q .; do sleep 0.2; done",
        shows="echo 8005",
        mends="put_back_main",
    ),
    Fault(
        name="working directory missing",
        causes=("directory_missing",),
        verdict=ESCALATED,
        breaks="stop; mv $DIRECTORY $DIRECTORY.away",
        shows="echo $DIRECTORY",
        mends="mv $DIRECTORY.away $DIRECTORY; start",
    ),
    Fault(
        name="virtual environment missing",
        causes=("virtualenv_missing",),
        verdict=ESCALATED,
        breaks="stop; mv $PYTHON $PYTHON.away",
        shows="echo $PYTHON",
        mends="mv $PYTHON.away $PYTHON; start",
    ),
    Fault(
        name="Python of the wrong version",
        causes=("python_wrong",),
        verdict=ESCALATED,
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
        # Whoever starts it next can write to its log, too.
        mends="rm -rf /run/lab-log; restart; until_answers",
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
        verdict=ESCALATED,
        breaks="keep_main; sed -i 's/^def health.*/&\\n    1 \\/ 0/' $DIRECTORY/main.py; restart\n"
        "until curl -s 127.0.0.1:8000/health | grep -q Error; do sleep 0.2; done",
        shows="echo 500",
        mends="put_back_main",
    ),
    Fault(
        name="too slow",
        causes=("backend_slow",),
        verdict=ESCALATED,
        breaks="""keep_main
          sed -i 's/^def health.*/&\\n    __import__("time").sleep(8)/' $DIRECTORY/main.py; restart
          until ss -Hltn "sport = :8000" | grep -q .; do sleep 0.2; done""",
        mends="put_back_main",
    ),
)
