// For administrators: numbers about the server, now and over time; its settings, keys and backups.
import { get } from './api.js';
import { byId, details, element, fillFacts, fillList, nameElement, onClick, row, showFailure, showStatus, timeElement } from './dom.js';
import { formatDuration, formatNumber, formatSize, formatTime, pieces, t } from './i18n.js';
import { showPlots } from './plots.js';
import { send } from './socket.js';

// A large database takes its time, and is read again.
const BACKUP_MS = 30 * 60_000;
const ORIGINS = { 'command line': 'account.origin_command_line', 'environment': 'account.origin_environment', '.env': 'account.origin_dotenv' };

let settings = [];

export function setUpServer() {
  byId('samples-days').addEventListener('change', loadSamples);
  byId('settings-changed').addEventListener('change', showSettings);
  onClick(byId('back-up'), backUp);
}

// Numbers

export async function loadServer() {
  loadSamples();
  const [numbers, state] = await Promise.all([get('/admin/stats'), get('/api/server/state')]);
  const failed = [numbers, state].find((answer) => !answer.ok);
  if (failed) return showFailure(failed.error);
  const { stats, groups } = numbers;
  const { database } = state;
  fillFacts(byId('server-numbers'), [
    [t('account.version'), state.version],
    [t('account.uptime'), formatDuration(state.uptime_seconds)],
    [t('account.people_count'), formatNumber(stats.total_users)],
    [t('account.sessions_count'), formatNumber(stats.active_sessions)],
    [t('account.groups'), formatNumber(stats.total_groups)],
    [t('account.messages'), formatNumber(stats.total_messages)],
    [t('account.public_messages'), formatNumber(stats.public_messages)],
    [t('account.database_kind'), database.kind === 'sqlite' ? 'SQLite' : 'PostgreSQL'],
    [t('account.database'), database.place],
    [t('account.database_size'), formatSize(database.bytes)],
    [t('account.server_since'), formatTime(stats.created_at)],
  ]);
  fillList(byId('group-list'), Object.values(groups).map(groupRow), byId('no-groups'));
}

function groupRow({ name, creator, has_password: closed, member_count: members, message_count: messages, created_at: since }) {
  const values = {
    members: t('account.group_members', { count: members }),
    messages: t('account.group_messages', { count: messages }),
    name: creator === null ? '' : nameElement(creator),
    at: timeElement(since),
  };
  const key = `account.group_${closed ? 'closed' : 'open'}${creator === null ? '' : '_by'}`;
  return row([element('p', { className: 'title' }, nameElement(name)), details(...pieces(key, values))]);
}

async function loadSamples() {
  const days = Number(byId('samples-days').value);
  const answer = await get(`/api/server/samples?days=${days}`);
  if (!answer.ok) return showFailure(answer.error);
  if (days !== Number(byId('samples-days').value)) return; // another time was chosen meanwhile
  const { samples, every } = answer;
  byId('no-samples').hidden = samples.length > 0;
  byId('no-samples').textContent = every > 0 ? t('account.no_samples', { span: formatDuration(every) }) : t('account.no_sampling');
  await showPlots(byId('plots'), samples, days);
}

// Settings

export async function loadSettings() {
  const state = await get('/api/server/state');
  if (!state.ok) return showFailure(state.error);
  settings = state.settings;
  showSettings();
}

function showSettings() {
  const changed = byId('settings-changed').checked;
  const shown = settings.filter(({ origin }) => !changed || origin !== 'default');
  fillList(byId('setting-list'), shown.map(settingRow), byId('no-settings'));
}

function settingRow({ name, value, secret, set, default: usual, origin }) {
  const title = element('p', { className: 'title' }, element('code', { textContent: name }));
  if (Object.hasOwn(ORIGINS, origin)) title.append(' ', element('span', { className: 'mark', textContent: t(ORIGINS[origin]) }));
  const shown = value !== null && !secret ? element('code', { textContent: value }) : t(set ? 'account.setting_set' : 'account.setting_not_set');
  const cell = element('div', { className: 'value' }, shown);
  if (origin !== 'default' && !secret) cell.append(details(usual === '' ? t('account.setting_no_default') : t('account.setting_default', { value: usual })));
  return row([title, cell]);
}

// Keys and backups

export async function loadKeys() {
  const state = await get('/api/server/state');
  if (!state.ok) return showFailure(state.error);
  showKeys(state.keys);
  showBackups(state.backups);
}

function showKeys(keys) {
  const { under_old_keys: older, rotated_at: rotated } = keys;
  fillFacts(byId('key-facts'), [
    [t('account.key_source'), element('code', { textContent: keys.source })],
    [t('account.master_keys'), formatNumber(keys.master_keys)],
    [t('account.data_keys'), formatNumber(keys.data_keys)],
    [t('account.replaced_keys'), formatNumber(keys.replaced)],
    [t('account.key_generation'), formatNumber(keys.generation)],
    [t('account.rotated_at'), rotated === null ? t('account.never') : timeElement(rotated)],
    [t('account.under_old_keys'), older === null ? t('account.not_known') : formatNumber(older)],
  ]);
  showHint(byId('key-hint'), keys.replaced > 0 || keys.master_keys > 1 ? t('account.keys_hint') : '');
}

function showBackups({ possible, folder, every_hours: every, keep, scheduled, last }) {
  const facts = [
    [t('account.backup_schedule'), every === null ? t('account.backup_never') : t('account.backup_every', { count: every, keep, there: scheduled })],
    [t('account.backup_folder'), element('code', { textContent: folder })],
    [t('account.backup_last'), last === null ? t('account.never') : timeElement(last.at)],
  ];
  if (last) {
    facts.push([t('account.backup_size'), formatSize(last.bytes)]);
    facts.push([t('account.backup_file'), element('code', { textContent: last.file })]);
    facts.push([t('account.backup_verified'), last.verified ? t('account.yes') : t('account.no')]);
  }
  fillFacts(byId('backup-facts'), possible ? facts : []);
  const hint = last === null ? t('account.backup_none') : last.there ? '' : t('account.backup_gone');
  showHint(byId('backup-hint'), possible ? hint : t('account.backup_postgres'));
  byId('back-up').hidden = !possible;
}

function showHint(place, text) {
  place.textContent = text;
  place.hidden = text === '';
}

async function backUp() {
  showStatus(t('account.backing_up'));
  const ack = await send('backup_database', null, { timeout: BACKUP_MS });
  if (!ack.ok) {
    showStatus('');
    return showFailure(ack.error);
  }
  await loadKeys();
  showStatus(t('account.backed_up', { file: ack.backup_file }));
}
