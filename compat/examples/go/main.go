// A chat client in a few lines: is in a room, hears it, says something, reads what was said before.
//
//	go run . http://localhost:5000 ann
package main

import (
	"fmt"
	"os"

	"github.com/zishang520/socket.io/clients/engine/v3/transports"
	"github.com/zishang520/socket.io/clients/socket/v3"
	"github.com/zishang520/socket.io/v3/pkg/types"
)

type object = map[string]any

func main() {
	options := socket.DefaultOptions()
	options.SetAuth(object{"username": os.Args[2]})
	// This client often does not notice the answer to its probe (1 in 10 on a busy machine): it begins with the websocket.
	options.SetTransports(types.NewSet(transports.WebSocket))
	room, err := socket.Connect(os.Args[1]+"/rooms/public", options)
	if err != nil {
		fail(err)
	}
	done := make(chan struct{})
	room.On("connect_error", func(refusal ...any) { fail("not let in:", refusal[0]) })
	room.On("new_message", func(told ...any) {
		message := told[0].(object)
		fmt.Printf("%s: %s\n", message["username"], message["message"])
	})
	room.On("room_joined", func(...any) {
		call(room, "send", object{"message": "hello from Go"}, func(object) {
			call(room, "get_history", object{"limit": 10}, func(page object) {
				messages := page["messages"].([]any)
				last := messages[len(messages)-1].(object)["message"]
				fmt.Printf("%d in the history, the last one: %s\n", len(messages), last)
				close(done)
			})
		})
	})
	<-done
	room.Disconnect()
}

// call sends an event; what comes next needs its ack.
func call(room *socket.Socket, event string, payload object, next func(object)) {
	room.Emit(event, payload, func(answer []any, err error) {
		if err != nil {
			fail(err)
		}
		ack := answer[0].(object)
		if ack["ok"] != true {
			fail(ack["error"])
		}
		next(ack)
	})
}

func fail(why ...any) {
	fmt.Fprintln(os.Stderr, why...)
	os.Exit(1)
}
