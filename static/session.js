// Who one is here, a guest or an account: joins the chat, and comes back after a lost connection.
import { get } from './account/api.js';
import { byId, showAlert, showError } from './account/dom.js';
import { patiently, request, settled } from './connection.js';
import { repeatPreferences, setPreferences } from './people.js';
import { PUBLIC, enterRoom, focusOnRoom, forgetRoom, joinedGroups, roomOf, setGroups } from './rooms.js';

const MODERATORS = ['moderator', 'admin', 'owner'];

const ownIds = new Set(); // a guest gets a new user id with every join
let account = null; // of whoever is signed in
let name = null; // null until the person has joined
let memberOf = []; // an account's groups, as the server knows them

export const isMine = ({ user_id: id }) => ownIds.has(id);
export const isSelf = (username) => username === name;
/** An admin's rights sleep until the second factor is set up, where the server asks for one. */
export const isModerator = () => account !== null && !account.second_factor_needed && MODERATORS.includes(account.role);

export async function joinByName() {
  await settled();
  if (name !== null) return; // came in as an account meanwhile
  const username = byId('username').value;
  const ack = await request('join_chat', { username });
  if (!ack.ok) return showError(ack.error, byId('join-form'));
  focusOnRoom();
}

export function chatJoined({ user_id: id, username, public_messages: history, available_groups: names, member_of: groups = [] }) {
  ownIds.add(id);
  name = username;
  memberOf = groups;
  byId('own-name').textContent = username;
  byId('account').hidden = false;
  byId('join-view').hidden = true;
  byId('chat-view').hidden = false;
  setGroups(names);
  enterRoom(PUBLIC, { history, isMine });
}

/** After every connect: the server may not know this page any more, so it says again who it is and where it was. */
export async function comeBack() {
  const isFirst = name === null;
  if (!(await lookUpAccount()) || name === null) return;
  const ack = await patiently('join_chat', { username: name });
  if (!ack.ok) return showAlert(ack.error.message, { withLink: true });
  for (const { name: group, password } of joinedGroups()) await rejoin(group, password);
  for (const group of memberOf.filter((group) => !roomOf(group))) await rejoin(group, '');
  if (!account) await repeatPreferences();
  if (isFirst) focusOnRoom();
}

/**
 * Finds out whether this browser is signed in, false when that cannot be told. Over the socket first: a refusal of
 * /api/me would stand in the console of every guest as an error.
 */
async function lookUpAccount() {
  const preferences = await patiently('list_blocked', {});
  if (preferences.error?.code === 'unauthenticated') return isStillGuest();
  if (!preferences.ok) return tellFailure(preferences.error);
  const found = await get('/api/me');
  if (!found.ok) return tellFailure(found.error);
  account = found;
  name = found.username;
  setPreferences(preferences);
  return true;
}

function tellFailure({ message }) {
  showAlert(message);
  return false;
}

/** Whoever was here as an account does not come back as a guest. */
function isStillGuest() {
  if (account) showAlert('You are no longer signed in.', { withLink: true });
  return account === null;
}

async function rejoin(group, password) {
  const ack = await patiently('join_group', groupPayload(group, password));
  if (ack.ok || ack.error.code === 'unavailable') return;
  forgetRoom(group);
  showAlert(`You are no longer in ${group}. ${ack.error.message}`);
}

export function groupPayload(group, password) {
  return password ? { group_name: group, password } : { group_name: group };
}
