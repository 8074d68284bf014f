// A chat client in a few lines: is in a room, hears it, says something, reads what was said before.
// mvn dependency:copy-dependencies -DoutputDirectory=lib; java -cp 'lib/*' Room.java http://localhost:5000 ann

import io.socket.client.Ack;
import io.socket.client.IO;
import io.socket.client.Socket;
import java.net.URI;
import java.util.Map;
import org.json.JSONArray;
import org.json.JSONObject;

public class Room {
    public static void main(String[] arguments) {
        var options = IO.Options.builder().setAuth(Map.of("username", arguments[1])).build();
        Socket room = IO.socket(URI.create(arguments[0] + "/rooms/public"), options);
        room.on(Socket.EVENT_CONNECT_ERROR, refusal -> System.err.println("not let in: " + refusal[0]));
        room.on("new_message", told -> {
            var message = (JSONObject) told[0];
            System.out.println(message.optString("username") + ": " + message.optString("message"));
        });
        room.on("room_joined", told -> call(room, "send", Map.of("message", "hello from Java"), sent ->
            call(room, "get_history", Map.of("limit", 10), page -> {
                JSONArray messages = page.optJSONArray("messages");
                var last = messages.optJSONObject(messages.length() - 1).optString("message");
                System.out.println(messages.length() + " in the history, the last one: " + last);
                room.close();
                System.exit(0);
            })));
        room.connect();
    }

    /** Sends an event; what comes next needs its ack. */
    static void call(Socket room, String event, Map<String, ?> payload, java.util.function.Consumer<JSONObject> next) {
        room.emit(event, new JSONObject(payload), (Ack) answer -> {
            var ack = (JSONObject) answer[0];
            if (!ack.optBoolean("ok")) {
                System.err.println(ack.optJSONObject("error"));
            }
            next.accept(ack);
        });
    }
}
