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

type method func(ctx context.Context, c Caller, params jsontext.Value, attachment []byte) (any, error)

// call is the JSON of a call frame.
type call struct {
	Method string         `json:"method"`
	Params jsontext.Value `json:"params"`
}

var strict = json.RejectUnknownMembers(true)

// handle makes a method of a function that takes parameters P. Parameters that do not decode are the peer's
// mistake, not its user's. Errors that are no Problem become CodeInternal (see Server).
func handle[P, R any](f func(ctx context.Context, c Caller, p P, attachment []byte) (R, error)) method {
	return func(ctx context.Context, c Caller, params jsontext.Value, attachment []byte) (any, error) {
		var p P
		if err := json.Unmarshal(params, &p, strict); err != nil {
			return nil, &Problem{Code: CodeBadCall, Detail: fmt.Sprintf("parameters do not decode: %v", err), Retry: RetryNever, Effect: EffectNone}
		}
		return f(ctx, c, p, attachment)
	}
}

func (m Methods) dispatch(ctx context.Context, c Caller, f frame) (any, error) {
	var in call
	if err := json.Unmarshal(f.json, &in, strict); err != nil {
		return nil, &Problem{Code: CodeBadCall, Detail: fmt.Sprintf("the call does not decode: %v", err), Retry: RetryNever, Effect: EffectNone}
	}
	h, ok := m[in.Method]
	if !ok {
		return nil, &Problem{Code: CodeBadCall, Detail: fmt.Sprintf("no method %q", in.Method), Retry: RetryNever, Effect: EffectNone}
	}
	return h(ctx, c, in.Params, f.attachment)
}
