"""Faults of nginx."""

from runbook.model.verdict import Verdict
from tests.lab.breaking import Fault

ESCALATED = Verdict.ESCALATED

NGINX = (
    Fault(name="nginx stopped", causes=("nginx_stopped",), breaks="systemctl stop nginx"),
    Fault(
        name="nginx stopped, its port taken",
        causes=("web_port_taken",),
        verdict=ESCALATED,
        breaks="systemctl stop nginx; foreign 80 0.0.0.0",
        shows="echo http.server; systemctl show --property=MainPID --value lab-foreign",
        mends="end_foreign; systemctl start nginx",
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
        breaks="sed -i 's/127.0.0.1:8000/127.0.0.1:8001/' $CONFIG; reload_nginx",
        shows="echo 8001",
    ),
    Fault(
        name="upstream of the wrong address",
        causes=("upstream_wrong",),
        breaks="sed -i 's/127.0.0.1:8000/127.0.0.9:8000/' $CONFIG; reload_nginx",
        shows="echo 127.0.0.9",
    ),
    Fault(
        name="upstream of the wrong port, corrected and not loaded",
        causes=("upstream_wrong",),
        breaks="""
          sed -i 's/127.0.0.1:8000/127.0.0.1:8001/' $CONFIG; reload_nginx
          sed -i 's/127.0.0.1:8001/127.0.0.1:8000/' $CONFIG
          curl -s -o /dev/null -H "Host: $SERVER" 127.0.0.1/health""",
        shows="echo 127.0.0.1:8001",
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
        breaks="keep_config; sed -i 's|location / |location /elsewhere/ |' $CONFIG; reload_nginx",
        mends="put_back_config",
    ),
    Fault(
        name="time-outs too short",
        causes=("timeouts_short",),
        breaks="""keep_config; keep_main
          sed -i 's/proxy_read_timeout 5s/proxy_read_timeout 1s/' $CONFIG
          sed -i 's/^def health.*/&\\n    __import__("time").sleep(2)/' $DIRECTORY/main.py; restart
          until curl -sf -m 9 -o /dev/null 127.0.0.1:8000/health; do sleep 0.2; done; reload_nginx""",
        mends="put_back_config; put_back_main",
    ),
    Fault(
        name="header not handed on",
        causes=("headers_missing",),
        breaks="keep_config; sed -i '/X-Real-IP/d' $CONFIG; reload_nginx",
        mends="put_back_config",
    ),
    Fault(
        name="no server of the site's name",
        causes=("site_disabled",),
        verdict=ESCALATED,
        breaks="""rm /etc/nginx/sites-enabled/*
          echo 'server { listen 80 default_server; return 404; }' > /etc/nginx/sites-enabled/lab
          reload_nginx""",
        mends="rm /etc/nginx/sites-enabled/lab; ln -s ../sites-available/$(basename $CONFIG) /etc/nginx/sites-enabled/; reload_nginx",
    ),
    Fault(
        name="no server at all, so nothing listens",
        causes=("site_disabled",),
        verdict=ESCALATED,
        breaks="rm /etc/nginx/sites-enabled/*; systemctl restart nginx",
        mends="ln -s ../sites-available/$(basename $CONFIG) /etc/nginx/sites-enabled/; reload_nginx",
    ),
    Fault(
        name="site enabled and not loaded, so nothing listens",
        causes=("site_disabled",),
        breaks="""
          rm /etc/nginx/sites-enabled/*; systemctl restart nginx
          ln -s ../sites-available/$(basename $CONFIG) /etc/nginx/sites-enabled/""",
    ),
)
