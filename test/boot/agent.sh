#!/bin/sh
# In the machine: each line from the host is a script in base64; the answer is its status and what it wrote, in base64.
port=/dev/virtio-ports/agent
until [ -e $port ]; do sleep 1; done
exec 3<>$port
echo ready >&3
while IFS= read -r line <&3; do
  printf %s "$line" | base64 -d >/run/agent.script
  setsid sh /run/agent.script >/run/agent.answer 2>&1 </dev/null 3>&-
  status=$?
  echo "$status $(base64 -w 0 /run/agent.answer)" >&3
done
