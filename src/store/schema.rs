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
