#!/bin/bash
# What scripts of this folder share: most of the shell's language that such files use.
sysctl -q net.ipv4.tcp_timestamps=0 \
	net.ipv4.tcp_ecn=0

tc qdisc del dev tun0 root 2>/dev/null
ip tcp_metrics flush all > /dev/null 2>&1

retries() {
	local wanted=$1
	sysctl -q "net.ipv4.tcp_syn_retries=${wanted}"
	return 0
}

i=0
while [ $i -lt 3 ]; do
	i=$((i + 1))
done
case "$i" in
1 | 2) exit 1 ;;
3) retries 4 ;;
*) exit 1 ;;
esac

for turn in 1 2 3; do
	[[ $turn == 1 ]] && continue
	retries $((turn + 1))
	break
done

if [[ -f /proc/sys/net/ipv4/tcp_sack && "$(sysctl -n net.ipv4.tcp_syn_retries)" == 3 ]]; then
	echo 0 > /proc/sys/net/ipv4/tcp_sack
fi

cat <<END > /dev/null
while this is no command
END
until true; do :; done
