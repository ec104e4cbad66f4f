package main

import (
	"context"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// answer waits for what ask reads from the terminal, or for the end of ctx: a read of a terminal does not end with a
// signal that the program catches. An ask that nobody answered is left behind, the terminal's settings are put back.
func answer[T any](ctx context.Context, terminal *os.File, ask func() (T, error)) (T, error) {
	type reply struct {
		value T
		err   error
	}
	var none T
	fd := int(terminal.Fd())
	settings, err := unix.IoctlGetTermios(fd, unix.TCGETS)
	if err != nil {
		return none, fmt.Errorf("%s is not a terminal: %w", terminal.Name(), err)
	}
	if ctx.Err() != nil {
		return none, context.Cause(ctx)
	}
	replies := make(chan reply, 1)
	go func() {
		value, err := ask()
		replies <- reply{value, err}
	}()
	select {
	case r := <-replies:
		return r.value, r.err
	case <-ctx.Done():
		_ = unix.IoctlSetTermios(fd, unix.TCSETS, settings)
		say(terminal, "\n")
		return none, fmt.Errorf("nobody answered the prompt: %w", context.Cause(ctx))
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
		_ = unix.IoctlSetTermios(fd, unix.TCSETS, settings)
		say(terminal, "\n")
	}, nil
}
