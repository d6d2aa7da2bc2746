package notifier

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/url"
	"strings"

	"github.com/rota-scheduler/rota/fsm"
)

// Schema is the version of the message. A field may be added without a new one.
const Schema = 1

// Message is what a receiver gets, as JSON.
type Message struct {
	Schema int `json:"schema"`
	fsm.Event
	OutputTail string `json:"output_tail,omitempty"`
	// Link is the path within the API of any node under which there is more.
	Link string `json:"link"`
}

// Encode returns the message of an event.
func Encode(e *fsm.Event) ([]byte, error) {
	m := Message{Schema: Schema, Event: *e, OutputTail: strings.ToValidUTF8(string(e.Tail), "\uFFFD"), Link: linkOf(e)}
	body, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encoding event %s: %w", e.ID, err)
	}
	return body, nil
}

func linkOf(e *fsm.Event) string {
	if e.RunID != "" {
		return "/v1/runs/" + url.PathEscape(e.RunID)
	}
	return "/v1/jobs/" + url.PathEscape(e.Job) + "/fires?namespace=" + url.QueryEscape(e.Namespace)
}

// Sign returns the value of the signature header: HMAC-SHA256 of the timestamp, a
// dot and the body. The timestamp keeps an old request from being replayed.
func Sign(secret, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(timestamp))
	mac.Write([]byte("."))
	mac.Write(body)
	return "v1=" + hex.EncodeToString(mac.Sum(nil))
}
