package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"kura/nem"
	"kura/policy"
	"kura/policy/source"
)

// blastDay is the span that is printed unless another is asked for: 24 hours.
const blastDay = policy.Millis(24 * 60 * 60 * 1000)

func newPolicyBlastRadius() *cobra.Command {
	var stolen, within, book string
	var witnessed, asJSON bool // witnessed: before anything leaves
	cmd := &cobra.Command{
		Use:   "blast-radius FILE",
		Short: "Compute the most that can be lost if given things are stolen",
		Long: `Compute, from the policy alone, the most that can reach the chain within a span if a
set of things is stolen, per wallet and asset, with the limit that binds and the
worst schedule. Without --stolen: a table over every single key, all pairs, those
that lack only a service's approval with that service, and
what the thieves of January 2018 had (client, gateway, database, network).`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			p, err := readPolicy(cmd, args[0])
			if err != nil {
				return err
			}
			options, err := blastOptions(cmd, p, stolen, within, book, witnessed)
			if err != nil {
				return err
			}
			if stolen != "" {
				blast := policy.BlastRadius(p, options)
				if asJSON {
					return writeJSONLine(cmd.OutOrStdout(), blast)
				}
				page := newPage(cmd.OutOrStdout())
				printBlast(page, p, blast)
				return page.flush()
			}
			table := policy.BlastTable(p, options)
			if asJSON {
				return writeJSONLine(cmd.OutOrStdout(), table)
			}
			page := newPage(cmd.OutOrStdout())
			printBlastTable(page, p, options.Span, table)
			if !witnessed {
				page.line("Rollback of this host (database and anchor-file stolen together): unbounded, unless witnesses elsewhere cosign before anything leaves (cosign_before_release); --witnessed if they do.")
			}
			return page.flush()
		},
	}
	s := cmd.Flags()
	s.StringVar(&stolen, "stolen", "", "what is stolen, like client:backend,officer:emi,gateway,database,network,clock,anchor-file")
	s.StringVar(&within, "within", "24h", "in which time it reaches the chain")
	s.StringVar(&book, "addresses", "", "address book, for limits per destination (a change file)")
	s.BoolVar(&witnessed, "witnessed", false, "witnesses elsewhere cosign the journal before anything leaves (cosign_before_release)")
	s.BoolVar(&asJSON, "json", false, "print as JSON")
	return cmd
}

func blastOptions(cmd *cobra.Command, p *policy.Policy, stolen, within, book string, witnessed bool) (policy.BlastOptions, error) {
	options := policy.BlastOptions{CosignedFirst: witnessed}
	var ok bool
	if options.Span, ok = source.Span(within); !ok || options.Span == 0 {
		return options, usagef("--within is %q, want a time like 24h, 90m or 7d", within)
	}
	var err error
	if options.Stolen, err = p.ParseStolen(stolen); err != nil {
		return options, usagef("--stolen: %w", err)
	}
	options.Book, err = readBook(cmd, book)
	return options, err
}

// printBlastTable shows every set that costs something and more than one key of it
// alone, a program that approves by itself counted with the pair that it is asked beside, and what the thieves of January 2018 had in any case.
func printBlastTable(page *page, p *policy.Policy, span policy.Millis, table []policy.Blast) {
	page.line("The most that can reach the chain within %s, if stolen:", span)
	alone := map[string]string{} // what a single key costs
	var harmless []string
	nothing, noMore := 0, 0
	for _, blast := range table {
		text := totalText(p, blast)
		stolen := strings.Split(blast.Stolen, ",")
		switch {
		case slices.Contains(stolen, "gateway"):
			page.title("%s", blast.Stolen)
			page.field("", "(what the thieves of January 2018 had) %s", text)
			continue
		case len(stolen) > 2:
			if !costsNothing(blast) && text != alone[stolen[0]] && text != alone[stolen[1]] {
				page.title("%s", blast.Stolen)
				page.field("", "(a service approves by itself what passes its check) %s", text)
			}
			continue
		case costsNothing(blast) && len(stolen) == 1:
			harmless = append(harmless, blast.Stolen)
			continue
		case costsNothing(blast):
			nothing++
			continue
		case len(stolen) == 1:
			alone[blast.Stolen] = text
		case text == alone[stolen[0]] || text == alone[stolen[1]]:
			noMore++
			continue
		}
		page.title("%s", blast.Stolen)
		page.field("", "%s", text)
	}
	if noMore > 0 {
		page.line("Each of %d other pairs: no more than one of the two alone.", noMore)
	}
	if nothing > 0 {
		page.line("Each of %d other pairs: nothing.", nothing)
	}
	if len(harmless) > 0 {
		page.line("Alone, nothing: %s.", strings.Join(harmless, ", "))
	}
	page.line("How a bound comes about, and the worst schedule: --stolen SET. All sets, one by one: --json.")
}

// costsNothing tells whether nothing can be lost, then or ever.
func costsNothing(b policy.Blast) bool { return !losesAny(b) && b.UnboundedFrom == 0 }

// losesAny tells whether anything can be lost within the span.
func losesAny(b policy.Blast) bool {
	return slices.ContainsFunc(b.Totals, func(r policy.BlastRow) bool { return r.Unbounded || r.Bound != "0" })
}

// printBlast shows every wallet and asset with formula and schedule.
func printBlast(page *page, p *policy.Policy, b policy.Blast) {
	page.title("If stolen: %s. Within %s at most:", b.Stolen, b.Within)
	for _, r := range b.Rows {
		page.field(string(r.Wallet), "%s", boundText(p, r))
		if !r.Unbounded {
			page.field("", "= %s", r.Formula)
		} else if r.Formula != "unbounded" {
			page.field("", "%s", r.Formula)
		}
		if len(r.Binding) > 0 {
			page.field("", "bound by %s", strings.Join(r.Binding, ", "))
		}
		if r.Schedule != "" {
			page.field("", "worst: %s", r.Schedule)
		}
	}
	page.field("in all", "%s", totalText(p, b))
	for _, note := range b.Notes {
		page.field("note", "%s", note)
	}
}

func boundText(p *policy.Policy, r policy.BlastRow) string {
	text := "UNBOUNDED in " + string(r.Asset)
	if amount, err := nem.ParseAmount(r.Bound); err == nil && !r.Unbounded {
		text = p.Show(r.Asset, policy.Units(amount))
	} else if !r.Unbounded {
		text = r.Bound + " of " + string(r.Asset) + " (smallest units)"
	}
	if r.Listed {
		text += ", to listed destinations only"
	}
	return text
}

func totalText(p *policy.Policy, b policy.Blast) string {
	var parts []string
	for _, r := range b.Totals {
		part := boundText(p, r)
		if len(r.Binding) > 0 {
			part += ", by " + strings.Join(r.Binding, " and ")
		}
		parts = append(parts, part)
	}
	text := strings.Join(parts, "; ")
	if !losesAny(b) {
		text = "nothing"
	}
	if b.UnboundedFrom > 0 {
		text += "; bounded for " + b.UnboundedFrom.String() + ", then unbounded"
	}
	return text
}
