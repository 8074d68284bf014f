"""A chat client in a few lines: is in a room, hears it, says something, reads what was said before.

pip install "python-socketio[client]"; python room.py http://localhost:5000 ann
"""

import sys

import socketio

ROOM = "/rooms/public"
url, username = sys.argv[1:]
client = socketio.Client()


@client.on("new_message", namespace=ROOM)
def new_message(message):
    print(f"{message['username']}: {message['message']}", flush=True)


client.connect(url, namespaces=[ROOM], auth={"username": username})
ack = client.call("send", {"message": "hello from Python"}, namespace=ROOM)
if not ack["ok"]:
    sys.exit(f"{ack['error']['code']}: {ack['error']['message']}")
messages = client.call("get_history", {"limit": 10}, namespace=ROOM)["messages"]
print(f"{len(messages)} in the history, the last one: {messages[-1]['message']}")
client.disconnect()
