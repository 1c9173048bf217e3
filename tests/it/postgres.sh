# Keeps one PostgreSQL cluster for as long as its standard input is open, and leaves nothing behind.
# The writing end of that pipe is the test process's: when that ends, by `kill -9` too, `cat` returns.
# Arguments: the folder of PostgreSQL's programs, the port. Prints one line: `ready FOLDER PID`, or `failed`.
set -u
bin=$1
port=$2
cd /
umask 077
home=$(mktemp -d "${TMPDIR:-/tmp}/evolve-test-postgres-XXXXXX" 2>/dev/null) || home=$(mktemp -d /tmp/evolve-test-postgres-XXXXXX) || exit 1
server=
finish() {
  if [ -n "$server" ]; then
    kill -QUIT "$server" 2>/dev/null
    wait "$server"
  fi
  rm -rf "$home"
}
trap finish EXIT
trap 'exit 1' HUP INT TERM
log=$home/log
# A path that is too long for a socket leaves the cluster without one.
socket=$home
[ "${#socket}" -le 80 ] || socket=
failed() {
  trap '' PIPE
  echo failed
  tail -n 20 "$log"
  exit 1
}
"$bin/initdb" --no-sync -A trust -U postgres -E UTF8 --locale=C -D "$home/cluster" >"$log" 2>&1 || failed
"$bin/postgres" -D "$home/cluster" -p "$port" -c listen_addresses=127.0.0.1 -c "unix_socket_directories=$socket" \
  -c fsync=off -c synchronous_commit=off -c full_page_writes=off -c autovacuum=off -c max_connections=200 \
  -c shared_buffers=64MB -c max_wal_size=4GB -c checkpoint_timeout=1h -c log_min_messages=fatal >>"$log" 2>&1 &
server=$!
# The eighth line of this file is the server's own word on whether it takes connections.
waited=0
until sed -n 8p "$home/cluster/postmaster.pid" 2>/dev/null | grep -q ready; do
  kill -0 "$server" 2>/dev/null || failed
  waited=$((waited + 1))
  [ "$waited" -le 1200 ] || failed
  sleep 0.05
done
# Whoever asked may be gone by now: the line is lost then, and the clean-up must still happen.
trap '' PIPE
echo "ready $home $server"
cat >/dev/null
