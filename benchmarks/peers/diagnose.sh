# The checks of fix-502 as one script: ssh HOST sudo bash -s < diagnose.sh
site=backend.bandarupay.example
port=8000
log=/var/log/bandarupay/app.log
home=/opt/bandarupay/backend-api
python=$home/venv/bin/python

curl -s -m 5 -o /tmp/.site -w '%{http_code}\n' -H "Host: $site" http://127.0.0.1/health; cat /tmp/.site; rm -f /tmp/.site
nginx -t 2>&1
nginx -T 2>/dev/null | grep -A5 upstream
systemctl show --property LoadState,ActiveState,SubState,UnitFileState,MainPID,ExecMainCode,ExecMainStatus,NRestarts,Result -- nginx
ss -Hltnp 'sport = :80'
curl -s -m 5 -w '%{http_code}\n' "http://127.0.0.1:$port/health"
systemctl show --property LoadState,ActiveState,SubState,UnitFileState,MainPID,ExecMainCode,ExecMainStatus,NRestarts,Result -- bandarupay-backend
ss -Hltnp "sport = :$port"
ss -Hltnp "sport = :$port" src 127.0.0.1
iptables-save; nft list ruleset
timeout 5 bash -c "exec 3<>/dev/tcp/127.0.0.1/$port" && echo connected
pgrep -af 'python main\.py'
cat /proc/meminfo
ss -H -l -n -t -p
df -P -B1 "${log%/*}"; df -P -i "${log%/*}"
stat "$home"
sudo -u bandarupay stat "$log"
tail -c 65536 "$log" | grep -c 'Permission denied'
stat "$python"
"$python" --version
timeout 5 bash -c 'exec 3<>/dev/tcp/127.0.0.1/5432' || echo refused
tail -c 65536 "$log" | grep -n -A20 Traceback
find "$home" -maxdepth 1 -printf '%f\n'
ls -l /etc/nginx/sites-enabled
tail -c 65536 /var/log/nginx/error.log | grep -Eo 'upstream: "\w+://([^/"]+)'
sudo -u www-data curl -s -m 5 -w '%{http_code}\n' "http://127.0.0.1:$port/health"
tail -c 65536 /var/log/nginx/error.log | grep -c 'Permission denied'
cat /etc/nginx/sites-available/backend
cat /proc/loadavg; nproc
curl -s -m 5 -o /dev/null -w '%{http_code}\n' -H "Host: $site" http://127.0.0.1/
grep -n proxy_set_header /etc/nginx/sites-available/backend
systemctl show --property ActiveState,SubState,MainPID -- celery
getent hosts "$site"
ls -l "/proc/$(pgrep -of 'python main\.py')/fd" | wc -l
exit 0
