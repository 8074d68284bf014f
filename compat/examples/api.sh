#!/bin/sh
# The HTTP side for scripts: signs in, reads a room, searches, takes the data along. Needs curl.
# The password comes from the environment: arguments can be read by every user of the machine.
#   PASSWORD=… sh api.sh http://localhost:5000 ann
set -eu
url=$1 username=$2

json='Content-Type: application/json'
login=$(printf '{"username":"%s","password":"%s"}' "$username" "$PASSWORD" | curl -sS --fail-with-body -H "$json" -d @- "$url/api/login")
token=$(printf %s "$login" | sed 's/.*"token":"\([^"]*\)".*/\1/')
# On standard input, for the same reason.
ask() { printf 'header = "Authorization: Bearer %s"\n' "$token" | curl -sS --fail-with-body -K - "$@"; }

ask "$url/api/rooms/public/messages?limit=10"; echo
ask --get --data-urlencode 'query=hello from:'"$username" "$url/api/search"; echo
ask "$url/api/export"
