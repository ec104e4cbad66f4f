package main

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// answer waits for what ask reads from the terminal, or for the end of ctx: a read does not end with a signal that the
// program catches. Where nobody answered, the terminal's settings are put back.
func answer[T any](ctx context.Context, terminal *os.File, ask func() (T, error)) (T, error) {
	var none T
	fd := int(terminal.Fd())
	settings, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return none, fmt.Errorf("%s is not a terminal: %w", terminal.Name(), err)
	}
	if ctx.Err() != nil {
		return none, context.Cause(ctx)
	}
	value, left, err := await(ctx, ask)
	if left {
		_ = unix.IoctlSetTermios(fd, unix.TCSETS, settings) // where it fails the terminal has gone
		say(terminal, "\n")
		return none, fmt.Errorf("nobody answered the prompt: %w", err)
	}
	return value, err
}

// handedOver refuses a descriptor that nobody opened for this process: one of the runtime's own would be read, and
// closed. Go opens all of its own to be closed on exec; what came through exec is not.
func handedOver(fd int) error {
	if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err != nil || flags&unix.FD_CLOEXEC != 0 {
		return fmt.Errorf("descriptor %d is not open: hand it over, as in kura-signer … %d<FILE", fd, fd)
	}
	return nil
}

// fromDescriptor reads a secret from a descriptor that was handed over, or gives up at the end of ctx.
func fromDescriptor[T any](ctx context.Context, fd int, read func(fd int) (T, error)) (T, error) {
	var none T
	if err := handedOver(fd); err != nil {
		return none, err
	}
	value, left, err := await(ctx, func() (T, error) { return read(fd) })
	if left {
		return none, fmt.Errorf("nothing whole came from descriptor %d: %w", fd, err)
	}
	return value, err
}

// await waits for a read that blocks, or for the end of ctx, whose cause it then returns. The read is left behind: it
// ends with the process.
func await[T any](ctx context.Context, read func() (T, error)) (value T, left bool, err error) {
	type reply struct {
		value T
		err   error
	}
	replies := make(chan reply, 1)
	go func() {
		value, err := read()
		replies <- reply{value, err}
	}()
	select {
	case r := <-replies:
		return r.value, false, r.err
	case <-ctx.Done():
		return value, true, context.Cause(ctx)
	}
}

// hideInput turns a terminal's echo off until restore is called.
func hideInput(terminal *os.File) (restore func(), err error) {
	fd := int(terminal.Fd())
	settings, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return nil, fmt.Errorf("turn the terminal's echo off: %w", err)
	}
	silent := *settings
	silent.Lflag &^= unix.ECHO
	if err := unix.IoctlSetTermios(fd, unix.TCSETS, &silent); err != nil {
		return nil, fmt.Errorf("turn the terminal's echo off: %w", err)
	}
	return func() {
		_ = unix.IoctlSetTermios(fd, unix.TCSETS, settings) // where it fails the terminal has gone
		say(terminal, "\n")
	}, nil
}
