# Part by part what `qrun setup` may touch: text that is to be the same before and after.
part() { echo "== $1"; }
# systemd may be slow to answer on a loaded machine
asked() {
  for try in 1 2 3 4 5; do
    answer=$("$@" 2>&1) && break
    sleep 5
  done
  echo "$answer" | sort
}
part etc
# tools of accounts keep the text before of what they change; a DHCP client writes resolv.conf
find /etc ! -name '*-' ! -name .pwd.lock ! -name 'resolv.conf*' -printf '%p %y %m %U:%G %l\n' | sort
find /etc -type f ! -name '*-' ! -name .pwd.lock ! -name 'resolv.conf*' -exec sha256sum {} + | sort -k 2
part links
ip -d link | sed 's/ qdisc [a-z_]*//; s/^[0-9]*: //; s/_timer *[0-9.]*//g; s/ group default//'
part addresses
ip -brief address
part routes
ip -4 route show table all; ip -6 route show table all | sed 's/ expires [0-9]*sec//' | sort
part rules
ip rule; ip -6 rule
part getcap
getcap -r /usr | sort
part nft
nft list ruleset
part sysctl
sysctl -a 2>/dev/null | grep -E '^net\.(ipv4\.(ping_group_range|ip_forward|conf)|ipv6\.conf|bridge)' | grep -vE 'stable_secret'
part modules
lsmod | sed 1d | cut -d ' ' -f 1 | sort
part units
asked systemctl list-unit-files --no-legend
part failed
asked systemctl list-units --failed --no-legend --plain
part state
# what root's qrun found out about QEMU, its locks and its empty directories are no matter, as they are in any user's home; setup's own is
ls -dA /var/lib/qrun/host 2>/dev/null
find /var/lib/qrun ! -type d ! -path '*/locks/*' ! -path '*/leases/guard' 2>/dev/null
true
