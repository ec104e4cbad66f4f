// Kura-signer is the trusted daemon of a Kura deployment, and every command that touches its token.
//
// It is for: serving the gateway's and the administrator's sockets (serve), setting a token up (token init), founding
// a journal (init), and the ceremonies of wallets. It trusts its configuration file, the token, the kernel's word about
// who connects, and the machine's clock as far as policy time lets it; it has no way to set that clock and listens on no
// network. It promises the invariants of package signer, and that no PIN, seed or key is ever taken from an argument or
// from the environment, or printed.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"kura/signer/process"
	"kura/signer/rpc"
)

// Exit codes. They are stable.
const (
	exitOK      = 0
	exitFailed  = 1 // it was tried and did not succeed, or a check found something
	exitUsage   = 2 // the command line itself was wrong
	exitConfig  = 3 // the configuration is not usable
	exitBusy    = 4 // a signer runs, and this may only be done while none does
	exitAbsent  = 5 // no signer runs, and this needs one; nothing happened
	exitUnknown = 6 // the signer gave no answer: it may or may not have happened
)

// An exitError is an error with an exit code.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func exit(code int, err error) error { return &exitError{code, err} }

// An invocation is one run of a command.
type invocation struct {
	args   []string // after the command's name
	stdin  io.Reader
	stdout io.Writer
	stderr io.Writer
}

// A command is one row of the help.
type command struct {
	name  string // one or two words
	usage string
	about string // "" for what people do not call
	run   func(context.Context, *invocation) error
}

func commands() []command {
	return []command{
		{"serve", "--config F", "serve the gateway and the administrator until SIGTERM", serve},
		{"token init", "--config F [--so-pin-file F] [--json]", "prepare the token: PIN, sealing key, log key", tokenInit},
		{"token list", "--config F [--json]", "list the token's objects with their attributes, and what is wrong with them", tokenList},
		{"token attack", "--config F [--so-pin-file F] [--json]", "try to steal throw-away keys by every known route, and report", tokenAttack},
		{"token rotate-sealing", "--config F --present NAME [--present …] [--copied]", "seal every wallet anew under a new key, journal it, destroy the old key", tokenRotate},
		{"rotate log-key", "--config F [--begin | --destroy-old] [--json]", "change the key that signs the journal's heads: make the next one (--begin), hand over to it once the directors permit it, destroy the old one (--destroy-old)", rotateLogKey},
		{"init", "--config F --policy F --verdicts F --policy-hash HEX", "found the journal with policy 1 and bind the token to it", initJournal},
		{"wallet create", "--config F --name N --network N --present NAME [--present …] [--json]", "make a wallet's key and journal the ceremony", walletCreate},
		{"wallet import", "--config F --name N --network N --address A --present NAME [--key-fd N] [--json]", "take an account's key from a prompt or a descriptor", walletImport},
		{"wallet list", "--config F [--json]", "list wallets and the state of their keys", walletList},
		{"wallet suspend", "--config F --name N --reason TEXT", "take a wallet's key out of service, until the unfreeze quorum lifts that", walletState("suspend", suspended)},
		{"wallet retire", "--config F --name N --reason TEXT", "take a wallet's key out of service for ever", walletState("retire", "retired")},
		{"wallet compromised", "--config F --name N --reason TEXT", "note that others may know a wallet's key: out of service for ever", walletState("compromised", "compromised")},
		{"wallet backup", "--config F --recipient [NAME=]age1… [--recipient …] --need K --out FILE|- [--name N …] [--imported N=FD …]", "encrypt the keys of sealed wallets so that any K custodians restore them", walletBackup},
		{"restore", "--config F --backup FILE --share F | --identity F […] --predecessor LINE --predecessor-checkpoint F [--predecessor-keys F] --policy F --policy-hash HEX --verdicts F --present NAME […]", "open a successor journal on a fresh token and put a backup's wallets into it", restore},
		{"recover-tail", "--config F [--head FILE …] [--until TIME] [--lost-anchor SIZE] [--out FILE] [--gap F --verdicts F]", "show which entries the journal lost; with the directors' verdicts go on without them; fill a lost anchor file anew", recoverTail},
		{"freeze", "--config F --reason TEXT", "stop every signature of this signer, in the journal", freeze},
		{"doctor", "--config F [--json]", "look for what is wrong or weak in this installation", doctor},
		{"migrate", "--dsn-file F [--service-role NAME --service-password-file F]", "bring a PostgreSQL database to this version's tables, as its owner", migrate},
		{"alarm relay", "", "", relay},
		{"version", "", "print the version", printVersion},
	}
}

func main() {
	process.Harden() // before any secret is read; serve does it again and logs what is weak
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run is the whole program but for the process around it.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	all := commands()
	at := slices.IndexFunc(all, func(c command) bool {
		words := strings.Fields(c.name)
		return len(args) >= len(words) && slices.Equal(args[:len(words)], words)
	})
	if at < 0 {
		if len(args) == 1 && (args[0] == "help" || args[0] == "--help" || args[0] == "-h") {
			help(stdout, all)
			return exitOK
		}
		help(stderr, all)
		if len(args) > 0 {
			say(stderr, "\nkura-signer: there is no command %q\n", strings.Join(args[:min(len(args), 2)], " "))
		}
		return exitUsage
	}
	c := all[at]
	in := &invocation{args: args[len(strings.Fields(c.name)):], stdin: stdin, stdout: stdout, stderr: stderr}
	err := c.run(ctx, in)
	if err == nil || errors.Is(err, flag.ErrHelp) {
		return exitOK
	}
	say(stderr, "kura-signer %s: %v%s\n", c.name, err, whyUnreachable(err))
	return exitCode(err)
}

// whyUnreachable adds what the gateway's clients are not told: no signer runs, or this user may not ask it.
func whyUnreachable(err error) string {
	p, ok := errors.AsType[*rpc.Problem](err)
	if !ok || p.Code != rpc.CodeUnavailable || errors.Unwrap(p) == nil {
		return ""
	}
	return fmt.Sprintf(" (%v)", errors.Unwrap(p))
}

func exitCode(err error) int {
	if e, ok := errors.AsType[*exitError](err); ok {
		return e.code
	}
	if p, ok := errors.AsType[*rpc.Problem](err); ok {
		switch {
		case p.Code == rpc.CodeUnavailable:
			return exitAbsent
		case p.Effect == rpc.EffectUnknown:
			return exitUnknown
		}
	}
	return exitFailed
}

func help(w io.Writer, all []command) {
	say(w, "Kura's signer: the daemon that holds the keys, and the commands that touch its token.\n")
	for _, c := range all {
		if c.about == "" {
			continue
		}
		say(w, "\n  kura-signer %s %s\n        %s\n", c.name, c.usage, c.about)
	}
	say(w, `
Exit codes: 0 done, 1 failed, 2 wrong command line, 3 unusable configuration, 4 a signer runs and must not,
5 no signer runs and one must, 6 no answer: it may or may not have happened.
`)
}

// flags reads a command's flags; check is told of none that are missing among the required ones.
func (in *invocation) flags(name string, define func(*flag.FlagSet), required ...string) error {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(in.stderr)
	define(f)
	if err := f.Parse(in.args); err != nil {
		return exit(exitUsage, err)
	}
	if f.NArg() > 0 {
		return exit(exitUsage, fmt.Errorf("what is %q for? This command takes flags only", f.Arg(0)))
	}
	for _, flagName := range required {
		if f.Lookup(flagName).Value.String() == "" {
			return exit(exitUsage, fmt.Errorf("--%s is needed", flagName))
		}
	}
	return nil
}
