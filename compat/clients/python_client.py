"""A chat with the server at argv[1], by python-socketio: join, a group with a password, a message with its ack, the
history after a reconnect. Prints "chatted over TRANSPORT" and exits with 0 when all of it went well."""

import sys

import socketio

URL, TRANSPORT = sys.argv[1], sys.argv[2]
GROUP, PASSWORD = f"py {TRANSPORT} 🐍", "kn0wn pässword"


def connected():
    """A client that waits for what it is told: receive() returns [event, payload]."""
    client = socketio.SimpleClient(reconnection=False)
    client.connect(URL, transports=[TRANSPORT])
    return client


def hear(client, event):
    """The payload of the next such event."""
    while True:
        name, *args = client.receive(timeout=10)
        if name == event:
            return args[0]


def join(client, username):
    client.emit("join_chat", {"username": username})
    return hear(client, "chat_joined")


def ack(client, event, payload):
    return client.call(event, payload, timeout=10)


def main():
    client = connected()
    assert join(client, "pythonista")["username"] == "pythonista"

    assert ack(client, "create_group", {"group_name": GROUP, "password": PASSWORD})["ok"] is True
    refused = ack(client, "join_group", {"group_name": GROUP, "password": "wrong"})
    assert refused["ok"] is False and refused["error"]["code"] == "forbidden", refused
    assert hear(client, "error")["message"] == "Failed to join group. Check password."

    sent = ack(client, "send_group_message", {"group_name": GROUP, "message": "grüße 🎉"})
    assert sent["ok"] is True, sent
    heard = hear(client, "new_message")
    assert (heard["message"], heard["room"]) == ("grüße 🎉", GROUP), heard
    client.disconnect()

    again = connected()
    assert GROUP in join(again, "pythonista")["available_groups"]
    again.emit("join_group", {"group_name": GROUP, "password": PASSWORD})
    history = hear(again, "group_joined")["messages"]
    assert [entry["id"] for entry in history] == [heard["id"]], history
    again.disconnect()
    print(f"chatted over {TRANSPORT}")


if __name__ == "__main__":
    main()
