// A peer for the benchmarks: Node's own Socket.IO server with the chat's events, messages in memory.

import { createServer } from "node:http";
import { createHash, randomUUID } from "node:crypto";
import { Server } from "socket.io";

const HISTORY = 50;

const http = createServer();
const io = new Server(http, { serveClient: false });
const publicMessages = [];
const groups = new Map();

io.on("connection", (socket) => {
  socket.on("join_chat", ({ username }, ack) => {
    socket.data = { id: randomUUID(), username };
    socket.emit("chat_joined", {
      user_id: socket.data.id, username, public_messages: publicMessages, available_groups: [...groups.keys()],
    });
    socket.join("public");
    socket.to("public").emit("user_joined", { username, room: "public" });
    accept(ack);
  });

  socket.on("create_group", ({ group_name }, ack) => {
    if (groups.has(group_name)) {
      socket.emit("error", { message: "Group already exists" });
    } else {
      groups.set(group_name, { messages: [], members: new Set() });
      socket.emit("group_created", { group_name, group_id: createHash("sha256").update(group_name).digest("hex").slice(0, 16) });
      io.emit("group_list_updated", { available_groups: [...groups.keys()] });
    }
    accept(ack);
  });

  socket.on("join_group", ({ group_name }, ack) => {
    const group = groups.get(group_name);
    const { username } = socket.data;
    group.members.add(username);
    socket.emit("group_joined", { group_name, messages: group.messages, members: [...group.members] });
    socket.join(roomOf(group_name));
    socket.to(roomOf(group_name)).emit("user_joined", { username, room: group_name });
    accept(ack);
  });

  socket.on("send_public_message", (draft, ack) => {
    post(socket, "public", "public", publicMessages, draft);
    accept(ack);
  });

  socket.on("send_group_message", (draft, ack) => {
    post(socket, roomOf(draft.group_name), draft.group_name, groups.get(draft.group_name).messages, draft);
    accept(ack);
  });
});

function post(socket, room, name, history, { message, encrypted_content = "" }) {
  const sent = {
    id: randomUUID(), user_id: socket.data.id, username: socket.data.username, message, encrypted_content,
    timestamp: new Date().toISOString(), room: name,
  };
  history.push(sent);
  if (history.length > HISTORY) history.shift();
  io.to(room).emit("new_message", sent);
}

// A group's room bears a prefix, so that no group can be called like the public room.
function roomOf(group) {
  return `group:${group}`;
}

function accept(ack) {
  ack?.({ ok: true }); // whether there is an ack is the client's choice
}

http.listen(0, "127.0.0.1", () => console.log(`node listens on http://127.0.0.1:${http.address().port}`));
