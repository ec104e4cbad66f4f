package rpc

import (
	"context"
	"fmt"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// A Caller is who is at the other end of the socket, as the kernel says.
type Caller struct {
	PID int32
	UID uint32
	GID uint32
}

// Methods is what a server answers to, by name. They are called concurrently, each with a context that ends when
// the caller goes away.
type Methods map[string]method

// A method reads a call and returns what it has to do. The call's bytes, but for an attachment that the method
// takes, are not kept: a call may wait long.
type method func(params jsontext.Value, attachment []byte) (task, error)

type task func(ctx context.Context, c Caller) (any, error)

// call is the JSON of a call frame.
type call struct {
	Method string         `json:"method"`
	Params jsontext.Value `json:"params"`
}

var strict = json.RejectUnknownMembers(true)

// handle makes a method of a function that takes parameters P and no attachment; a call with one is refused.
// Errors that are no Problem become CodeInternal (see Server).
func handle[P, R any](f func(ctx context.Context, c Caller, p P) (R, error)) method {
	return func(params jsontext.Value, attachment []byte) (task, error) {
		if len(attachment) != 0 {
			return nil, badCall("the method takes no attachment, got one of %d bytes", len(attachment))
		}
		p, err := read[P](params)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, c Caller) (any, error) { return f(ctx, c, p) }, nil
	}
}

// handleAttached is handle for a function that takes an attachment, too.
func handleAttached[P, R any](f func(ctx context.Context, c Caller, p P, attachment []byte) (R, error)) method {
	return func(params jsontext.Value, attachment []byte) (task, error) {
		p, err := read[P](params)
		if err != nil {
			return nil, err
		}
		return func(ctx context.Context, c Caller) (any, error) { return f(ctx, c, p, attachment) }, nil
	}
}

// read decodes parameters. Those that do not decode are the peer's mistake, not its user's.
func read[P any](params jsontext.Value) (P, error) {
	var p P
	if err := json.Unmarshal(params, &p, strict); err != nil {
		return p, badCall("parameters do not decode: %v", err)
	}
	return p, nil
}

func badCall(format string, args ...any) error {
	return &Problem{Code: CodeBadCall, Detail: fmt.Sprintf(format, args...), Retry: RetryNever, Effect: EffectNone}
}

// task reads the call in a frame.
func (m Methods) task(f frame) (task, error) {
	var in call
	if err := json.Unmarshal(f.json, &in, strict); err != nil {
		return nil, badCall("the call does not decode: %v", err)
	}
	h, ok := m[in.Method]
	if !ok {
		return nil, badCall("no method %.40q", in.Method)
	}
	return h(in.Params, f.attachment)
}
