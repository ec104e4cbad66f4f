package rpc

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"slices"
	"sync"

	"github.com/go-json-experiment/json"
)

// A Server answers calls on one listening socket.
type Server struct {
	Methods Methods
	// Allow says which users may connect, by the kernel's word.
	Allow []uint32
	// InFlight bounds the calls that are being answered at once, over all connections, until their answer is queued
	// for its connection; beyond it they are refused as CodeBusy, unread. Connections bounds those.
	InFlight    int
	Connections int
	// Secrets says that attachments may hold a private key: frames are read without a buffer in between, and wiping
	// the attachment is the method's.
	Secrets bool
	Log     *slog.Logger
}

// Serve accepts connections until ctx ends, and returns when all have ended. A call's context ends with its
// connection, its cancel frame, and ctx. The listener is closed.
func (s *Server) Serve(ctx context.Context, l *net.UnixListener) error {
	var open sync.WaitGroup
	defer open.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = l.Close() })() // it ends the loop below
	inFlight := make(chan struct{}, s.InFlight)
	connections := make(chan struct{}, s.Connections)
	for {
		conn, err := l.AcceptUnix()
		if err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		caller, err := PeerOf(conn)
		if err != nil || !slices.Contains(s.Allow, caller.UID) {
			s.Log.Warn("connection refused", "socket", l.Addr().String(), "uid", caller.UID, "pid", caller.PID, "error", err)
			conn.Close()
			continue
		}
		select {
		case connections <- struct{}{}:
		default:
			s.Log.Warn("too many connections", "socket", l.Addr().String(), "most", s.Connections)
			conn.Close()
			continue
		}
		open.Go(func() {
			defer func() { <-connections }()
			s.serve(ctx, conn, caller, inFlight)
		})
	}
}

// serve reads one connection's frames and answers each in a goroutine of its own.
func (s *Server) serve(ctx context.Context, conn net.Conn, caller Caller, inFlight chan struct{}) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	defer running.Wait()
	defer cancel()
	out := newWriter(conn, false, maxUnread)
	defer out.stop()
	running.Go(out.run)
	defer context.AfterFunc(ctx, out.stop)()
	var in io.Reader = conn
	if !s.Secrets {
		in = bufio.NewReaderSize(conn, 64<<10)
	}

	var mu sync.Mutex
	cancels := map[uint64]context.CancelFunc{}
	for {
		f, err := readFrame(in, MaxRequest)
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, net.ErrClosed) {
				s.Log.Warn("connection dropped", "uid", caller.UID, "pid", caller.PID, "error", err)
			}
			return
		}
		mu.Lock()
		_, twice := cancels[f.call]
		mu.Unlock()
		switch {
		case f.kind == kindCancel:
			mu.Lock()
			if cancel, ok := cancels[f.call]; ok {
				cancel()
			}
			mu.Unlock()
			continue
		case f.kind != kindCall || twice:
			s.Log.Warn("connection dropped: out of order", "uid", caller.UID, "pid", caller.PID, "kind", f.kind, "repeated", twice)
			return
		}
		select {
		case inFlight <- struct{}{}:
		default:
			s.answer(out, f.call, nil, &Problem{Code: CodeBusy, Detail: "too many calls are being answered", Retry: RetrySame, Effect: EffectNone})
			continue
		}
		number := f.call
		work, err := s.Methods.task(f)
		if err != nil {
			if s.Secrets {
				clear(f.attachment)
			}
			s.answer(out, number, nil, err)
			<-inFlight
			continue
		}
		callCtx, callCancel := context.WithCancel(ctx)
		mu.Lock()
		cancels[number] = callCancel
		mu.Unlock()
		running.Go(func() {
			// The place is given back when the answer is on its way, not before: a peer that does not read
			// must not have answers pile up.
			defer func() { <-inFlight }()
			result, err := work(callCtx, caller)
			mu.Lock()
			delete(cancels, number)
			mu.Unlock()
			callCancel()
			s.answer(out, number, result, err)
		})
	}
}

// answer encodes and queues one answer. An unforeseen error is logged and not told.
func (s *Server) answer(out *writer, call uint64, result any, failure error) {
	f := frame{call: call, kind: kindResult}
	if failure != nil {
		f.kind = kindProblem
		problem, ok := errors.AsType[*Problem](failure)
		if !ok {
			problem = unforeseen(s.Log, failure)
		}
		result = problem
	}
	var err error
	if f.json, err = json.Marshal(result); err == nil {
		var b []byte
		if b, err = f.encode(MaxAnswer); err == nil {
			_ = out.send(b) // the caller has gone: nobody to tell
			return
		}
	}
	f.kind = kindProblem
	f.json, err = json.Marshal(unforeseen(s.Log, err))
	if err != nil {
		panic(err) // a Problem made of strings always encodes
	}
	if b, err := f.encode(MaxAnswer); err == nil {
		_ = out.send(b) // as above
	}
}

func unforeseen(log *slog.Logger, err error) *Problem {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return &Problem{Code: CodeNoAnswer, Detail: "the caller went away first", Retry: RetrySame, Effect: EffectUnknown}
	}
	log.Error("call failed", "error", err)
	return &Problem{Code: CodeInternal, Detail: "the signer failed in an unforeseen way; its log says how", Retry: RetrySame, Effect: EffectUnknown}
}
