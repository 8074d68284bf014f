"""A peer for the benchmarks: Flask-SocketIO on gevent with the chat's events, messages in memory."""

from gevent import monkey

monkey.patch_all()

import hashlib
import uuid
from collections import deque
from datetime import datetime, timezone

from flask import Flask, request
from flask_socketio import SocketIO, emit, join_room
from gevent.pywsgi import WSGIServer
from geventwebsocket.handler import WebSocketHandler

HISTORY = 50
ACCEPTED = {"ok": True}

app = Flask(__name__)
socketio = SocketIO(app, async_mode="gevent")
people = {}
public_messages = deque(maxlen=HISTORY)
groups = {}


@socketio.on("join_chat")
def join_chat(data):
    person = {"user_id": str(uuid.uuid4()), "username": data["username"]}
    people[request.sid] = person
    emit("chat_joined", {**person, "public_messages": list(public_messages), "available_groups": list(groups)})
    join_room("public")
    emit("user_joined", {"username": person["username"], "room": "public"}, to="public", include_self=False)
    return ACCEPTED


@socketio.on("create_group")
def create_group(data):
    name = data["group_name"]
    if name in groups:
        emit("error", {"message": "Group already exists"})
        return ACCEPTED
    groups[name] = {"messages": deque(maxlen=HISTORY), "members": {}}
    emit("group_created", {"group_name": name, "group_id": hashlib.sha256(name.encode()).hexdigest()[:16]})
    emit("group_list_updated", {"available_groups": list(groups)}, broadcast=True)
    return ACCEPTED


@socketio.on("join_group")
def join_group(data):
    name = data["group_name"]
    group = groups[name]
    username = people[request.sid]["username"]
    group["members"][username] = True
    emit("group_joined", {"group_name": name, "messages": list(group["messages"]), "members": list(group["members"])})
    join_room(room_of(name))
    emit("user_joined", {"username": username, "room": name}, to=room_of(name), include_self=False)
    return ACCEPTED


@socketio.on("send_public_message")
def send_public_message(data):
    return post("public", "public", public_messages, data)


@socketio.on("send_group_message")
def send_group_message(data):
    name = data["group_name"]
    return post(room_of(name), name, groups[name]["messages"], data)


def post(room, name, history, data):
    message = {
        "id": str(uuid.uuid4()),
        **people[request.sid],
        "message": data["message"],
        "encrypted_content": data.get("encrypted_content", ""),
        "timestamp": datetime.now(timezone.utc).isoformat(),
        "room": name,
    }
    history.append(message)
    emit("new_message", message, to=room)
    return ACCEPTED


def room_of(group):
    """A group's room bears a prefix, so that no group can be called like the public room."""
    return f"group:{group}"


def main():
    server = WSGIServer(("127.0.0.1", 0), app, handler_class=WebSocketHandler, log=None)
    server.start()
    print(f"flask listens on http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
