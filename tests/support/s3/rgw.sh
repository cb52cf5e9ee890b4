# Part of run.sh: one ceph-mon, one ceph-osd in memory and one radosgw, without systemd, containers or a manager.
# Only what a single short-lived node needs to become writable, and nothing that keeps it waiting.

for program in ceph-mon ceph-osd radosgw radosgw-admin ceph monmaptool; do
  command -v "$program" >/dev/null || missing "$program: apt-get install -y --no-install-recommends radosgw ceph-mon ceph-osd"
done
[ -n "$mon_port" ] || { say "MON_PORT is needed"; exit 64; }

mkdir "$dir"/{mon,osd,run,gateway}
touch "$dir/keyring"
fsid=$(cat /proc/sys/kernel/random/uuid)
osd_id=$(cat /proc/sys/kernel/random/uuid)
conf=$dir/ceph.conf
cat >"$conf" <<CONF
[global]
fsid = $fsid
mon host = [v2:127.0.0.1:$mon_port/0]
public addr = 127.0.0.1
cluster addr = 127.0.0.1
ms bind ipv6 = false
ms bind port min = $((mon_port + 1))
ms bind port max = $((mon_port + 100))
ms mon client mode = crc
auth cluster required = none
auth service required = none
auth client required = none
keyring = $dir/keyring
run dir = $dir/run
crash dir = $dir/run
admin socket = $dir/run/\$name.\$pid.asok
log file = $dir/\$name.log
log to stderr = false
err to stderr = false
mon cluster log file = $dir/cluster.log
osd pool default size = 1
osd pool default min size = 1
osd pool default pg num = 1
osd pool default pgp num = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
mon allow pool size one = true
mon max pg per osd = 1000
mon osd nearfull ratio = .99
mon osd backfillfull ratio = .99
mon osd full ratio = .995
mon data avail crit = 1
mon data avail warn = 2
[mon]
mon data = $dir/mon
mon cluster log to syslog = false
paxos propose interval = 0.02
paxos min wait = 0.01
mon tick interval = 1
[osd]
osd data = $dir/osd
osd objectstore = memstore
memstore device bytes = 1073741824
osd op num shards = 2
osd op num threads per shard = 1
osd max object name len = 2048
osd class update on start = false
osd class load list = *
osd class default list = *
osd numa auto affinity = false
[client]
rgw data = $dir/gateway
rgw frontends = beast endpoint=127.0.0.1:$port tcp_nodelay=1
rgw thread pool size = 32
rgw num rados handles = 1
rgw rados pool pg num min = 1
rgw override bucket index max shards = 1
rgw dynamic resharding = false
rgw enable usage log = false
rgw enable ops log = false
rgw run sync thread = false
rgw dns name = localhost
# A day of lifecycle rules is two seconds.
rgw lc debug interval = 2
CONF
export CEPH_CONF=$conf CEPH_ARGS=
ask() { timeout 10 ceph -c "$conf" --connect-timeout 5 "$@"; }

monmaptool --create --clobber --fsid "$fsid" --addv a "[v2:127.0.0.1:$mon_port/0]" "$dir/monmap" >>"$dir/out.log"
ceph-mon -c "$conf" --mkfs -i a --monmap "$dir/monmap" --mon-data "$dir/mon" >>"$dir/out.log" 2>&1
start "$dir/out.log" ceph-mon -c "$conf" -f -i a
wait_until 60 "ceph-mon" ask osd new "$osd_id" 0
ceph-osd -c "$conf" -i 0 --mkfs --osd-uuid "$osd_id" >>"$dir/out.log" 2>&1
start "$dir/out.log" ceph-osd -c "$conf" -f -i 0
osd_is_up() { ask osd stat | grep -q '1 up'; }
wait_until 60 "ceph-osd" osd_is_up
start "$dir/out.log" radosgw -c "$conf" -f -n client.rgw
# With the rights to make other users and to give them policies.
radosgw-admin -c "$conf" user create --uid main --display-name main --access-key "$access" --secret-key "$secret" \
  --caps "users=*;user-policy=*" >>"$dir/out.log" 2>&1
wait_until 60 "radosgw" listens "$port"
