// Command kura is people's hands: the tool of clients, officers, directors and
// auditors.
//
// It trusts the genesis line that its home pins and the key of the person who
// runs it; nothing that a gateway says is believed without a proof. Everything it
// shows of a payment is decoded here, from the text that was signed. It never
// links PKCS#11 and never sees a wallet's key.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"regexp"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole program, with its surroundings passed in; it returns the exit
// code (see exit.go).
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitOK
	}
	var quiet *exitError
	if !errors.As(err, &quiet) || !quiet.quiet {
		fmt.Fprintln(stderr, visible("kura: "+err.Error()))
	}
	return exitCode(err)
}

// group ids order the help page by who uses a command.
const (
	groupClient  = "client"
	groupOfficer = "officer"
	groupAuditor = "auditor"
	groupChain   = "chain"
	groupSetup   = "setup"
)

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "kura",
		Short:         "Clients', officers' and auditors' tool of the Kura signing service",
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error { return usageError(flagError(cmd, err)) })
	root.AddGroup(
		&cobra.Group{ID: groupClient, Title: "For a client:"},
		&cobra.Group{ID: groupOfficer, Title: "For officers and directors:"},
		&cobra.Group{ID: groupAuditor, Title: "For auditors:"},
		&cobra.Group{ID: groupChain, Title: "About the chains (offline):"},
		&cobra.Group{ID: groupSetup, Title: "Setting up:"},
	)
	root.PersistentFlags().String("home", os.Getenv("KURA_HOME"), "directory with kura.toml, the pinned genesis line and the last checkpoint (default $KURA_HOME, then ~/.kura)")
	add := func(group string, cmds ...*cobra.Command) {
		for _, c := range cmds {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add(groupClient, newWithdraw(), newSend(), newStatus(), newCancel(), newSign(), newID())
	add(groupOfficer, newInbox(), newShow(), newApprove(), newReject(), newFreeze(), newSuspend(), newLower(), newLift(), newStops(), newPolicy(), newAddresses(), newEvacuate(), newResume(), newProposals(), newJournal())
	add(groupChain, newAddress(), newTx())
	add(groupAuditor, newAudit(), newLog(), newReceipt(), newWitness())
	add(groupSetup, newDev())
	checkArgs(root)
	return root
}

// badFlag is how the library says that a flag's text did not parse.
var badFlag = regexp.MustCompile(`^invalid argument (".*") for "(?:-., )?--([a-z-]+)" flag: `)

// flagError says what a flag takes, where the library says only why the text did not parse.
func flagError(cmd *cobra.Command, err error) error {
	said := badFlag.FindStringSubmatch(err.Error())
	if said == nil {
		return err
	}
	flag := cmd.Flags().Lookup(said[2])
	if flag == nil {
		return err
	}
	switch flag.Value.Type() {
	case "int":
		return fmt.Errorf("--%s: %s, want a whole number", said[2], said[1])
	case "uintSlice":
		return fmt.Errorf("--%s: %s, want whole numbers", said[2], said[1])
	case "duration":
		return fmt.Errorf("--%s: %s, want a time like 30s, 90m or 24h", said[2], said[1])
	}
	return err
}

// checkArgs makes a wrong number of arguments a usage error, for every command.
func checkArgs(cmd *cobra.Command) {
	if check := cmd.Args; check != nil {
		cmd.Args = func(cmd *cobra.Command, args []string) error {
			switch err := check(cmd, args); {
			case err == nil:
				return nil
			case len(args) > 0 && strings.HasPrefix(err.Error(), "unknown command"):
				return usageError(err)
			default:
				return usagef("%d arguments; want: %s", len(args), cmd.UseLine())
			}
		}
	}
	for _, sub := range cmd.Commands() {
		checkArgs(sub)
	}
}
