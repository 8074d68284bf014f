// The owner's first visit: a first room, a link for the first people, and into the chat.
import { makeInvitation, warnOfLocalLink } from './admin.js';
import { byId, copy, onClick, showFailure } from './dom.js';

const FIRST_PEOPLE = { role: 'member', uses: 10, days: 7 };

export function setUpWelcome() {
  onClick(byId('welcome-invite'), inviteFirstPeople);
  onClick(byId('welcome-copy'), () => copy(byId('welcome-link').value, byId('welcome-link')));
}

async function inviteFirstPeople() {
  const answer = await makeInvitation(FIRST_PEOPLE);
  if (!answer.ok) return showFailure(answer.error);
  byId('welcome-link').value = answer.link;
  byId('welcome-made').hidden = false;
  byId('welcome-copy').focus();
  warnOfLocalLink();
}
