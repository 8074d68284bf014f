// The menu of oneself: the account, how one is seen, notifications, blocked people, language, theme, signing out.
import { post } from './account/api.js';
import { t } from './account/i18n.js';
import { request } from './connection.js';
import { openDialog } from './dialogs.js';
import { hidden, isModerator, me } from './state.js';
import { tellError } from './toasts.js';

export function ownItems() {
  const { account } = me.value;
  return [
    { label: t(account ? 'chat.profile' : 'chat.signInOrCreate'), run: () => location.assign('/account') },
    isModerator() && { label: t('chat.moderation'), run: () => location.assign('/account#reports') },
    { label: t(hidden.value ? 'chat.beSeen' : 'chat.beHidden'), run: toggleHidden },
    { label: t('chat.notifications'), run: () => openDialog({ kind: 'notifications' }) },
    { label: t('chat.blockedPeople'), run: () => openDialog({ kind: 'blocked' }) },
    { label: t('chat.appearance'), run: () => openDialog({ kind: 'appearance' }) },
    { label: t('chat.keys'), run: () => openDialog({ kind: 'keys' }) },
    account && { label: t('chat.signOut'), run: signOut },
    !account && { label: t('chat.leaveChat'), run: () => location.reload() },
  ];
}

async function toggleHidden() {
  const ack = await request('set_presence', { hidden: !hidden.value });
  if (!ack.ok) return tellError(ack.error);
  hidden.value = ack.hidden;
}

async function signOut() {
  const answer = await post('/api/logout');
  if (!answer.ok) return tellError(answer.error);
  forgetWritten();
  location.assign('/');
}

/** What was written and not sent does not stay in a browser that somebody else may use. */
function forgetWritten() {
  for (const key of Object.keys(localStorage)) if (/^(draft|outbox):/.test(key)) localStorage.removeItem(key);
}
