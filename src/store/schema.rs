//! The tables as Diesel sees them; the same for SQLite and PostgreSQL.
//! Sealed columns are `Text`, blind indexes `Binary`; what they hold is written in the migrations.

diesel::table! {
    data_keys (purpose, room_id, generation) {
        purpose -> Text,
        room_id -> BigInt,
        generation -> Integer,
        sealed -> Text,
    }
}

diesel::table! {
    users (id) {
        id -> Binary,
        name_blind -> Binary,
        profile -> Text,
        last_active -> Text,
        message_count -> BigInt,
    }
}

diesel::table! {
    rooms (id) {
        id -> BigInt,
        name_blind -> Binary,
        profile -> Text,
        last_seq -> BigInt,
        key_blind -> Nullable<Binary>,
        direct -> Bool,
    }
}

diesel::table! {
    memberships (room_id, user_id) {
        room_id -> BigInt,
        user_id -> Binary,
        member -> Text,
    }
}

diesel::table! {
    messages (room_id, seq) {
        room_id -> BigInt,
        seq -> BigInt,
        body -> Text,
    }
}

diesel::table! {
    recent_words (room_id, seq) {
        room_id -> BigInt,
        seq -> BigInt,
        words -> Binary,
    }
}

diesel::table! {
    word_blocks (room_id, block, first) {
        room_id -> BigInt,
        block -> BigInt,
        first -> BigInt,
        entries -> Binary,
    }
}

diesel::table! {
    reactions (room_id, seq, id) {
        room_id -> BigInt,
        seq -> BigInt,
        id -> Binary,
        reaction -> Text,
    }
}

diesel::table! {
    edits (room_id, seq, number) {
        room_id -> BigInt,
        seq -> BigInt,
        number -> BigInt,
        edit -> Text,
    }
}

diesel::table! {
    presence (user_id) {
        user_id -> Binary,
        #[sql_name = "presence"]
        presence_ -> Text,
    }
}

diesel::table! {
    notification_settings (user_id) {
        user_id -> Binary,
        settings -> Text,
    }
}

diesel::table! {
    push_subscriptions (id) {
        id -> Binary,
        user_id -> Binary,
        subscription -> Text,
    }
}

diesel::table! {
    pins (room_id, seq) {
        room_id -> BigInt,
        seq -> BigInt,
        pin -> Text,
    }
}

diesel::table! {
    read_marks (room_id, user_id) {
        room_id -> BigInt,
        user_id -> Binary,
        mark -> Text,
    }
}

diesel::table! {
    attachments (id) {
        id -> Binary,
        room_id -> BigInt,
        seq -> Nullable<BigInt>,
        owner -> Binary,
        bytes -> BigInt,
        attachment -> Text,
    }
}

diesel::table! {
    discarded_files (id) {
        id -> Binary,
    }
}

diesel::table! {
    accounts (user_id) {
        user_id -> Binary,
        key_blind -> Binary,
        account -> Text,
    }
}

diesel::table! {
    sessions (id) {
        id -> Binary,
        token_hash -> Binary,
        user_id -> Binary,
        session -> Text,
    }
}

diesel::table! {
    invites (id) {
        id -> Binary,
        token_hash -> Binary,
        invite -> Text,
    }
}

diesel::table! {
    sanctions (room_id, person) {
        room_id -> BigInt,
        person -> Binary,
        sanction -> Text,
    }
}

diesel::table! {
    address_bans (id) {
        id -> Binary,
        person -> Binary,
        ban -> Text,
    }
}

diesel::table! {
    blocks (user_id, person) {
        user_id -> Binary,
        person -> Binary,
        block -> Text,
    }
}

diesel::table! {
    room_preferences (user_id, room_id) {
        user_id -> Binary,
        room_id -> BigInt,
        preferences -> Text,
    }
}

diesel::table! {
    reports (id) {
        id -> Binary,
        report -> Text,
    }
}

diesel::table! {
    audit_log (seq) {
        seq -> BigInt,
        entry -> Text,
        mac -> Binary,
    }
}

diesel::table! {
    state (name) {
        name -> Text,
        version -> BigInt,
        value -> Text,
    }
}

diesel::table! {
    client_ids (id) {
        id -> Binary,
        sent -> Text,
    }
}

diesel::table! {
    tickets (id) {
        id -> Binary,
        owner -> Binary,
        ticket -> Text,
    }
}

diesel::table! {
    samples (at) {
        at -> BigInt,
        sample -> Text,
    }
}

diesel::joinable!(memberships -> rooms (room_id));
diesel::allow_tables_to_appear_in_same_query!(memberships, rooms);
