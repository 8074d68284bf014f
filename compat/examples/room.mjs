// A chat client in ten lines: is in a room, hears it, says something, reads what was said before.
// npm install socket.io-client; node room.mjs http://localhost:5000 ann

import { io } from 'socket.io-client';

const [url, username] = process.argv.slice(2);
const room = io(`${url}/rooms/public`, { auth: { username } });
room.on('connect_error', ({ message }) => console.error('not let in:', message));
room.on('new_message', ({ username, message }) => console.log(`${username}: ${message}`));
room.on('room_joined', async () => {
  const ack = await room.emitWithAck('send', { message: 'hello from JavaScript' });
  if (!ack.ok) console.error(ack.error.code, ack.error.message);
  const { messages } = await room.emitWithAck('get_history', { limit: 10 });
  console.log(`${messages.length} in the history, the last one: ${messages.at(-1).message}`);
  room.close();
});
