// Package chat holds the messages of chat.proto.
package chat
