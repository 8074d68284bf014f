// The tutorial page's script: globals, inline handlers call into it, names go into the markup as they come.
var currentRoom = 'public';
var myName = '';
var joinedGroups = {};

function byId(id) {
    return document.getElementById(id);
}

function registerHandlers(socket) {
    socket.on('chat_joined', function (data) {
        byId('login').classList.add('hidden');
        byId('chat').classList.remove('hidden');
        showGroups(data.available_groups);
        showHistory(data.public_messages);
    });
    socket.on('group_created', function (data) {
        addLine('Group ' + data.group_name + ' created (' + data.group_id + ')');
    });
    socket.on('group_list_updated', function (data) {
        showGroups(data.available_groups);
    });
    socket.on('group_joined', function (data) {
        joinedGroups[data.group_name] = true;
        openRoom(data.group_name);
        showHistory(data.messages);
        byId('members').innerHTML = 'Members: ' + data.members.join(', ');
    });
    socket.on('group_left', function (data) {
        delete joinedGroups[data.group_name];
        openRoom('public');
        addLine('You left ' + data.group_name);
    });
    socket.on('new_message', function (data) {
        if (data.room === currentRoom) {
            showMessage(data);
        }
    });
    socket.on('user_joined', function (data) {
        addLine(data.username + ' joined ' + data.room);
    });
    socket.on('user_left', function (data) {
        addLine(data.username + ' left ' + data.room);
    });
    socket.on('user_stats', function (data) {
        alert('Messages: ' + data.message_count + ', groups: ' + data.groups_joined + ', since ' + data.created_at + ', active ' + data.last_active);
    });
    socket.on('error', function (data) {
        alert(data.message);
    });
}

function joinChat() {
    myName = byId('usernameInput').value;
    socket.emit('join_chat', { username: myName, public_key: 'demo-public-key' });
}

function createGroup() {
    socket.emit('create_group', { group_name: byId('groupName').value, password: byId('groupPassword').value });
}

function switchRoom(room) {
    if (room === 'public' || joinedGroups[room]) {
        openRoom(room);
        return;
    }
    var password = prompt('Password for ' + room + ' (empty for none)');
    socket.emit('join_group', { group_name: room, password: password });
}

function sendMessage() {
    var text = byId('messageInput').value;
    var payload = { message: text };
    if (byId('scramble').checked) {
        payload.encrypted_content = Scrambler.scramble(text, currentRoom);
    }
    if (currentRoom === 'public') {
        socket.emit('send_public_message', payload);
    } else {
        payload.group_name = currentRoom;
        socket.emit('send_group_message', payload);
    }
    byId('messageInput').value = '';
}

function leaveGroup() {
    socket.emit('leave_group', { group_name: currentRoom });
}

function showStats() {
    socket.emit('get_user_stats');
}

function openRoom(room) {
    currentRoom = room;
    byId('roomTitle').innerHTML = room === 'public' ? 'Public Room' : room;
    byId('messages').innerHTML = '';
    byId('members').innerHTML = '';
    byId('leaveButton').classList.toggle('hidden', room === 'public');
}

function showGroups(names) {
    byId('groups').innerHTML = '';
    names.forEach(function (name) {
        byId('groups').innerHTML += '<div class="room group" onclick="switchRoom(\'' + name.replace(/'/g, "\\'") + '\')">' + name + '</div>';
    });
}

function showHistory(messages) {
    byId('messages').innerHTML = '';
    messages.forEach(showMessage);
}

function showMessage(data) {
    var text = data.message;
    if (data.encrypted_content) {
        text = Scrambler.unscramble(data.encrypted_content, data.room);
    }
    var time = new Date(data.timestamp).toLocaleTimeString();
    addLine('<b>' + data.username + '</b> [' + time + '] <span class="text">' + escapeHtml(text) + '</span>', 'message');
}

function escapeHtml(text) {
    var div = document.createElement('div');
    div.textContent = text;
    return div.innerHTML;
}

function addLine(html, kind) {
    byId('messages').innerHTML += '<p class="' + (kind || 'system') + '">' + html + '</p>';
}
