// Command kura-sim runs the same packages as kura-signer under a clock that can be set: it plays what has happened to
// others, and what an intruder could do, against a policy before money depends on it.
//
// It is for treasurers and engineers. It trusts the policy file to be well meant and nothing else: what leaves is
// counted from the signed transactions themselves, and each journal is verified by package audit at the end.
//
// It promises: no key that it uses signs for a mainnet (see testnetKeys); its journals say clock "simulated", which
// kura-signer refuses, and it refuses kura-signer's; nothing is announced to any node; everything lies in one
// directory, which is removed unless it was named. Deciding, signing and journalling are the real thing: package
// signer, the embedded store, and SoftHSM as the token.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"
)

// Exit codes. They are stable.
const (
	exitOK     = 0 // played, and nothing left beyond the bound
	exitFailed = 1 // more left than the bound allows, a journal did not verify, or something broke
	exitUsage  = 2 // the command line itself was wrong
	exitPolicy = 3 // the policy file cannot be played
	exitAbsent = 4 // SoftHSM is not installed
)

// An exitError is an error with an exit code.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func exit(code int, err error) error { return &exitError{code, err} }

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole program but for the process around it.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := &cobra.Command{
		Use:   "kura-sim",
		Short: "Play thefts against a policy, under a simulated clock, on testnets only",
		Long: "Play thefts against a policy, under a simulated clock, on testnets only.\n\n" +
			"Exit codes: 0 played and within the bound, 1 failed or beyond the bound,\n" +
			"2 wrong command line, 3 the policy cannot be played, 4 SoftHSM is missing.",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 0 {
				return exit(exitUsage, fmt.Errorf("there is no command %q: kura-sim --help lists them", args[0]))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.CompletionOptions.DisableDefaultCmd = true
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return exit(exitUsage, err) })
	root.AddCommand(newRob())
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	_, _ = fmt.Fprintln(stderr, "kura-sim:", err) // there is nowhere else to say it
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.code
	}
	return exitFailed
}
