package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/spf13/cobra"

	"kura/policy"
	"kura/policy/adversary"
	"kura/policy/source"
	"kura/statement"
)

// Bounds of a run.
const (
	maxDays = 30
	// Requests of the cleverest sequence, over all wallets and assets: a token signs a few hundred in a second.
	maxRequestsADay = 600
	maxRequests     = 5000
	inFlight        = 32
)

// before is how long before midnight a journal is founded: a hoarded transaction can live for a day.
const before = 2 * day

func newRob() *cobra.Command {
	var dir string
	var asJSON bool
	var days int64
	cmd := &cobra.Command{
		Use:   "rob FILE",
		Short: "Play January 2018, and then the cleverest theft, against a policy",
		Long: "Play January 2018, and then the cleverest theft, against a policy.\n\n" +
			"FILE is a policy, YAML or JSON. It is played with keys made for the run, on\n" +
			"testnets, in a throw-away SoftHSM token, under a simulated clock; everything\n" +
			"else is the real signer, and its journals are verified at the end.",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return exit(exitUsage, errors.New("name one policy file: kura-sim rob FILE"))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if days < 1 || days > maxDays {
				return exit(exitUsage, fmt.Errorf("--nights %d: want 1 to %d", days, maxDays))
			}
			text, err := os.ReadFile(args[0])
			if err != nil {
				return exit(exitPolicy, err)
			}
			p, err := source.Compile(text)
			if err != nil {
				return exit(exitPolicy, fmt.Errorf("%s: %w", args[0], err))
			}
			out := cmd.OutOrStdout()
			if asJSON {
				out = io.Discard
			}
			r := robber{policy: p, days: days, page: &page{out: out}}
			done, err := r.run(cmd.Context(), dir)
			if err != nil {
				return err
			}
			if asJSON {
				text, err := json.Marshal(done, json.Deterministic(true), jsontext.WithIndent("  "))
				if err != nil {
					return err
				}
				if _, err := cmd.OutOrStdout().Write(append(text, '\n')); err != nil {
					return err
				}
			}
			if !done.OK {
				return errors.New("THE BOUND DOES NOT HOLD, or a journal does not verify: see above")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&dir, "dir", "", "keep tokens, journals and exports in this new directory")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	cmd.Flags().Int64Var(&days, "nights", 1, "how many days and nights the cleverest theft lasts")
	return cmd
}

// A robber plays both runs and tells of them as they go.
type robber struct {
	policy *policy.Policy // as in the file
	days   int64
	page   *page
}

func (r *robber) run(ctx context.Context, dir string) (*robbery, error) {
	t, err := aim(r.policy)
	if err != nil {
		return nil, err
	}
	if _, _, err := rekey(*r.policy.Document()); err != nil {
		return nil, exit(exitPolicy, err)
	}
	module, err := findModule(modules)
	if err != nil {
		return nil, err
	}
	keep := dir != ""
	if !keep {
		if dir, err = throwAwayDirectory(); err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
	} else if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, fmt.Errorf("--dir: want a directory that does not exist yet: %w", err)
	}
	stolen := policy.Stolen{Clients: []policy.ClientID{t.client}, Gateway: true, Network: true, Database: true}
	out := &robbery{
		Title: r.policy.Document().Title, Policy: r.policy.Hash().String(), Client: t.client, Stolen: stolen.String(),
	}
	r.page.opening(out)
	begin := theftBegins()
	out.Night, err = r.play(ctx, module, filepath.Join(dir, "night"), stolen, begin, midnight+noticed, nightHeading,
		func(d *deployment, done *result) (err error) {
			done.answers, err = d.playNight(ctx, t)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("the night of 2018: %w", err)
	}
	r.page.night(t, out.Night)
	end := begin + r.days*day
	out.Cleverest, err = r.play(ctx, module, filepath.Join(dir, "cleverest"), stolen, begin, end, cleverestHeading(r.days),
		func(d *deployment, done *result) (err error) {
			done.answers, done.Capped, err = d.playCleverest(ctx, t.client, begin, end)
			return err
		})
	if err != nil {
		return nil, fmt.Errorf("the cleverest theft: %w", err)
	}
	r.page.cleverest(out.Cleverest)
	if keep {
		r.page.field("kept", "%s and %s, for kura audit verify", filepath.Join(dir, "night", exportName), filepath.Join(dir, "cleverest", exportName))
	}
	out.OK = out.Night.holds() && out.Cleverest.holds()
	r.page.closing(out)
	return out, r.page.err
}

// throwAwayDirectory is in memory where there is such a place: the token and the journal sync every write, and nobody
// needs these after a crash.
func throwAwayDirectory() (string, error) {
	const pattern = "kura-sim-"
	if dir, err := os.MkdirTemp("/dev/shm", pattern); err == nil {
		return dir, nil
	}
	return os.MkdirTemp("", pattern)
}

// theftBegins is 00:02, when the first transfer of 2018 was made.
func theftBegins() int64 { return midnight + adversary.Theft[0].Minute*minute }

// play sets a deployment up, prints the bound, has the intruder ask, and holds what left and the journal to account.
func (r *robber) play(ctx context.Context, module, dir string, stolen policy.Stolen, begin, end int64, heading string,
	ask func(*deployment, *result) error) (done *result, err error) {
	d, err := deploy(ctx, module, dir, *r.policy.Document(), midnight-before)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	done = &result{
		Begin: statement.FormatTime(begin), End: statement.FormatTime(end), policy: d.policy, begin: begin, end: end,
		Bound: policy.BlastRadius(d.policy, policy.BlastOptions{Stolen: stolen, Span: policy.Millis(end - begin), Book: d.book}),
	}
	r.page.bound(heading, done)
	if err := ask(d, done); err != nil {
		return nil, err
	}
	left, err := sum(d.policy, done.answers)
	if err != nil {
		return nil, err
	}
	done.Losses, done.Together = losses(done.Bound, left)
	done.Alarms = d.raised(begin - day)
	if at, ok := stoppedAt(done.Alarms); ok {
		done.Stopped = statement.FormatTime(at)
	}
	for _, a := range done.answers {
		done.Requests = append(done.Requests, request{
			statement.FormatTime(a.at), a.wallet, a.asset, a.amount, a.listed, a.state, a.code,
		})
	}
	done.Journal, err = d.verify(ctx)
	return done, err
}
