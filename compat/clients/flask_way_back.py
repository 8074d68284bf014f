"""Compares a chat_data.db of the original with one that secure-chat has written: flask_way_back.py ORIGINAL OURS PASSWORD"""

import base64
import json
import sys

from cryptography.fernet import Fernet
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC

original, ours, password = sys.argv[1:]
kdf = PBKDF2HMAC(algorithm=SHA256(), length=32, salt=b"encrypted_chat_app_salt_2024", iterations=100_000)
fernet = Fernet(base64.urlsafe_b64encode(kdf.derive(password.encode())))


def load(path):
    with open(path, "rb") as file:
        return json.loads(fernet.decrypt(file.read()).decode())


def opened(token):
    return fernet.decrypt(token.encode()).decode() if token else ""


def message(row):
    """What the original shows of a message: what is sealed wins."""
    text = opened(row["encrypted_message"]) if row.get("encrypted_message") else row["message"]
    content = opened(row["double_encrypted_content"]) if row.get("double_encrypted_content") else row["encrypted_content"]
    fields = [row[key] for key in ("id", "user_id", "username", "timestamp", "room")]
    return fields + [text.replace("\0", "\ufffd"), content]


def messages(rows):
    return [message(row) for row in rows if row["message"]]


before, after = load(original), load(ours)
assert set(before) == set(after), set(before) ^ set(after)
assert messages(before["public_messages"]) == messages(after["public_messages"])
assert set(before["users"]) <= set(after["users"])
for user_id, user in before["users"].items():
    same = ["user_id", "username", "public_key", "created_at"]
    assert [user[key] for key in same] == [after["users"][user_id][key] for key in same], user
    assert set(user) == set(after["users"][user_id])
count = len(messages(before["public_messages"]))
for name, group in before["groups"].items():
    # An empty name is none here.
    back = after["groups"][name]
    assert set(group) == set(back), set(group) ^ set(back)
    assert sorted(group["members"]) == sorted(back["members"]), name
    assert group["creator"] == back["creator"] and group["created_at"] == back["created_at"], name
    assert bool(group["encrypted_password"]) == bool(back["encrypted_password"]), name
    assert messages(group["messages"]) == messages(back["messages"]), name
    opened(back["encrypted_password"])
    count += len(messages(group["messages"]))
print(f"{count} messages and {len(before['groups'])} groups are as they were.")
