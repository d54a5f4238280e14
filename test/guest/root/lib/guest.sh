# what init, the DHCP script and the power button share

say() { echo "qrun-guest: $*" >/dev/ttyS0; }

guest_name() {
  if [ -s /run/name ]; then cat /run/name; else echo guest; fi
}

# load_modules FILE-OR-NAME…: files hold a modalias
load_modules() {
  set -- $(for word; do if [ -f "$word" ]; then cat "$word"; else case $word in /*) ;; *) echo "$word" ;; esac; fi; done | sort -u)
  # a device that no module here serves is no matter
  [ $# -eq 0 ] || modprobe -a -q "$@" 2>/dev/null
}

# configure LINK MAC [WHICH=ADDRESS/LENGTH]…: WHICH is the link's name or its MAC. Without one of its own it asks DHCP, for ever
configure() {
  link=$1 mac=$2
  shift 2
  for static; do
    case $static in
      "$link"=* | "$mac"=*)
        ip addr add "${static#*=}" dev "$link"
        say net "$link" "mac=$mac" "ip=${static#*=}" static
        return
        ;;
    esac
  done
  : >"/run/asking.$link"
  udhcpc -f -i "$link" -s /etc/udhcpc/script -O search -t 3 -T 1 -A 2 -x "hostname:$(guest_name)" >/dev/null 2>&1 &
}

# until every link that asks has an answer, at most so many seconds
wait_for_leases() {
  left=$(($1 * 20))
  while [ "$left" -gt 0 ] && ls /run/asking.* >/dev/null 2>&1; do
    usleep 50000
    left=$((left - 1))
  done
}

# what others send goes on, as if this guest had sent it
route_for_others() {
  modprobe -a -q crc32c_generic nft_chain_nat nft_masq 2>/dev/null
  echo 1 >/proc/sys/net/ipv4/ip_forward
  masquerade
  say router "rc=$?"
}

# the page that the HTTP server answers with: the name, then one line a link
write_page() {
  # several leases come at once: who writes last has seen what all have
  until mkdir /run/page.lock 2>/dev/null; do usleep 10000; done
  {
    echo "qrun-guest $(guest_name)"
    for page_link in /sys/class/net/*; do
      page_name=${page_link##*/}
      [ "$page_name" = lo ] || echo "$page_name $(cat "$page_link/address") $(ip -4 -o addr show dev "$page_name" | awk '{ printf "%s%s", comma, $4; comma = "," }')"
    done
  } >/run/page.$$
  mv /run/page.$$ /www/index.html
  rmdir /run/page.lock
}

# end_with FLAGS COMMAND: what is written reaches the disks first
end_with() {
  say "$2"
  sync
  "$2" "$1"
}
