//go:build crashpoints

package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"kura/journal"
	"kura/nem"
	"kura/signer"
	"kura/signer/rpc"
)

// This file is part of a build that only tests make (tag crashpoints). Such a signer kills itself with SIGKILL when it
// comes to the point of its road that KURA_CRASH names, "point" or "point:n" for the n-th time. The points lie around
// each write and each answer, on the interfaces that package signer is given, so that package itself knows nothing of it.

// Points where a signer can be killed.
const (
	beforeAppend    = "before-append"    // decided, nothing written
	afterAppend     = "after-append"     // durable, not anchored
	beforeAnchor    = "before-anchor"    // the same, seen from the anchor
	afterAnchor     = "after-anchor"     // anchored, nothing released
	appendedAhead   = "appended-ahead"   // the next group is durable too, neither is anchored
	beforeSign      = "before-sign"      // the token has the bytes to sign
	afterSign       = "after-sign"       // the signature exists, nobody has it
	beforeSignature = "before-signature" // a group with a signature in it: before and after its append
	afterSignature  = "after-signature"
	beforeAnswer    = "before-answer" // the answer is ready, not sent
)

var wanted, wantedTime = func() (string, int64) {
	point, times, ok := strings.Cut(os.Getenv("KURA_CRASH"), ":")
	n := int64(1)
	if ok {
		var err error
		if n, err = strconv.ParseInt(times, 10, 64); err != nil {
			panic(err)
		}
	}
	return point, n
}()

var passed atomic.Int64

// reach is called at a point; at the wanted one it does not return.
func reach(point string) {
	if point != wanted || passed.Add(1) != wantedTime {
		return
	}
	fmt.Fprintf(os.Stderr, "crash at %s\n", point)
	_ = unix.Kill(os.Getpid(), unix.SIGKILL)
	select {}
}

func instrument(c signer.Config) signer.Config {
	c.Store, c.Token = crashingStore{c.Store}, crashingToken{c.Token}
	for i := range c.Anchors {
		c.Anchors[i] = crashingAnchor{c.Anchors[i]}
	}
	return c
}

type crashingStore struct{ journal.Store }

// signatureKind and deciders are how the entries look whose groups are counted.
var (
	signatureKind = []byte(`"kind":"signature/1"`)
	deciders      = [][]byte{[]byte(`"kind":"outcome/1"`), []byte(`"kind":"gap/1"`), []byte(`"kind":"logkey/1"`)}
)

func (s crashingStore) Append(ctx context.Context, g journal.Group) error {
	before, done := beforeAppend, afterAppend
	any := false
	for _, e := range g.Entries {
		any = any || slices.ContainsFunc(deciders, func(kind []byte) bool { return bytes.Contains(e, kind) })
		if bytes.Contains(e, signatureKind) {
			before, done, any = beforeSignature, afterSignature, true
		}
	}
	if any {
		reach(before)
	}
	err := s.Store.Append(ctx, g)
	if any {
		reach(done)
		deciding.Store(true)
	}
	if err == nil {
		appended.Store(g.Head.Size)
	}
	return err
}

// appended is the size of the journal in the store.
var appended atomic.Uint64

// untilBehind waits until the store has more than the checkpoint says. The group that is ahead may have come before the
// anchor was called, and then no further one comes until the anchor has moved.
func untilBehind(c journal.Checkpoint) {
	size, err := strconv.ParseUint(strings.Split(string(c), "\n")[1], 10, 64)
	if err != nil {
		panic(err)
	}
	for appended.Load() <= size {
		time.Sleep(time.Millisecond)
	}
}

// deciding says that the last append wrote an outcome, a gap, a handover or a signature: starts and ceremonies are not what is tried.
var deciding atomic.Bool

type crashingAnchor struct{ journal.Anchor }

func (a crashingAnchor) Save(ctx context.Context, c journal.Checkpoint) error {
	decides := deciding.Swap(false)
	if decides {
		reach(beforeAnchor)
		if wanted == appendedAhead {
			untilBehind(c)
			reach(appendedAhead)
		}
	}
	err := a.Anchor.Save(ctx, c)
	if decides {
		reach(afterAnchor)
	}
	return err
}

type crashingToken struct{ signer.Token }

func (t crashingToken) Sign(ctx context.Context, k signer.Key, message []byte) (nem.Signature, error) {
	reach(beforeSign)
	signature, err := t.Token.Sign(ctx, k, message)
	reach(afterSign)
	return signature, err
}

type crashingGateway struct{ rpc.Gateway }

func (g crashingGateway) Submit(ctx context.Context, envelope []byte, waitMillis int64) (rpc.Answer, error) {
	a, err := g.Gateway.Submit(ctx, envelope, waitMillis)
	reach(beforeAnswer)
	return a, err
}

func gatewayOf(s *signer.Signer) rpc.Gateway { return crashingGateway{s} }
