#!/bin/sh
# Holds a booted system: its file system, its control group and the process IDs of all that runs in it. It is process 1
# of a PID namespace with a mount namespace of its own, so whatever ends it ends the whole system with it, and no mount
# is left. It ends with its standard input, so it never outlives the test.
#
#   boot_holder.sh hold DIR LOWER TAG NETWORK BIND…   each line of standard input that says `boot` starts the system
#   boot_holder.sh enter DIR TAG                      becomes process 1 of the system
set -eu

hold() {
	dir=$1 lower=$2 tag=$3 network=$4
	shift 4
	mount --make-rprivate /
	mount -t proc proc /proc
	mount -t tmpfs -o mode=755 tmpfs "$dir"
	mkdir "$dir/upper" "$dir/work" "$dir/root" "$dir/cgroup" "$dir/net"
	mount -t overlay -o "lowerdir=$lower,upperdir=$dir/upper,workdir=$dir/work" overlay "$dir/root"
	mount -t cgroup2 cgroup2 "$dir/cgroup"
	group=$dir/cgroup/$tag
	mkdir "$group"
	# Read-only, at the same place: the virtual environment is full of absolute paths.
	for path in "$@"; do
		mkdir -p "$dir/root$path"
		mount --bind "$path" "$dir/root$path"
		mount -o remount,bind,ro "$dir/root$path"
	done
	echo ready
	while read -r line; do
		wait
		clear_group -mindepth 1
		[ "$line" = boot ] && boot &
	done
	kill -KILL -1 || true
	wait
	clear_group
}

clear_group() {
	tries=0
	# Those who were killed take a moment to die.
	until find "$group" "$@" -depth -type d -exec rmdir {} + 2>/dev/null || [ "$tries" -ge 100 ]; do
		tries=$((tries + 1))
		sleep 0.02
	done
}

boot() {
	echo 0 >"$group/cgroup.procs"
	set -- --fork --kill-child --pid --mount --uts --ipc --cgroup
	[ "$network" = private ] && set -- "$@" --net
	exec unshare "$@" /bin/sh "$0" enter "$dir" "$tag" </dev/null >"$dir/init.log" 2>&1
}

enter() {
	dir=$1 tag=$2 root=$1/root
	mount --make-rprivate /
	mount --rbind "$root" "$root"
	mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
	mount -t sysfs -o nosuid,nodev,noexec sysfs "$root/sys"
	# Of the machine's settings only the network's are the system's own; systemd writes others at boot.
	mount --bind "$root/proc/sys/net" "$dir/net"
	mount --bind "$root/proc/sys" "$root/proc/sys"
	mount -o remount,bind,ro "$root/proc/sys"
	mount --bind "$dir/net" "$root/proc/sys/net"
	mount -o remount,bind,ro "$root/sys"
	mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$root/sys/fs/cgroup"
	# The machine's virtual terminals aren't ours to switch: without them, logind's seat0 is a seat without terminals.
	if [ -d /sys/class/tty ]; then
		mount -t tmpfs -o ro tmpfs "$root/sys/class/tty"
	fi
	mount -t tmpfs -o mode=755,nosuid tmpfs "$root/dev"
	mkdir "$root/dev/net" "$root/dev/pts" "$root/dev/shm"
	for name in null zero full random urandom tty net/tun; do
		: >"$root/dev/$name"
		mount --bind "/dev/$name" "$root/dev/$name"
	done
	mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts "$root/dev/pts"
	mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs "$root/dev/shm"
	ln -s pts/ptmx "$root/dev/ptmx"
	ln -s /proc/self/fd "$root/dev/fd"
	for name in stdin:0 stdout:1 stderr:2; do
		ln -s "fd/${name#*:}" "$root/dev/${name%:*}"
	done
	mount -t tmpfs -o mode=755,nosuid,nodev tmpfs "$root/run"
	# The kernel's own stays the same over our reboots, and the journal tells them apart by it.
	cat /proc/sys/kernel/random/uuid >"$root/run/boot_id"
	mount --bind "$root/run/boot_id" "$root/proc/sys/kernel/random/boot_id"
	hostname "$tag"
	ip link set lo up
	cd "$root"
	mkdir -p run/old
	pivot_root . run/old
	umount -l /run/old
	rmdir /run/old
	# The clock and the kernel's modules are the machine's.
	exec env -i container=slopn SLOPN_BOOT="$tag" PATH=/usr/sbin:/usr/bin:/sbin:/bin TERM=dumb \
		setpriv --bounding-set=-sys_time,-sys_module /lib/systemd/systemd --system --log-target=journal --show-status=0
}

"$@"
