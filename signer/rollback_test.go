package signer_test

import (
	"path/filepath"
	"strconv"
	"testing"

	"kura/nem"
	"kura/policy"
	"kura/signer/signertest"
)

// TestRollbackAgainAndAgain has a thief with a client's key and the signer's host, who keeps the witness from hearing of
// each payment and then puts journal and anchors back. Where the witness cosigns behind the answers, that goes on for
// ever, and the blast radius has to say so; where it cosigns first, not one payment leaves that it has not heard of.
func TestRollbackAgainAndAgain(t *testing.T) {
	const amount = signertest.SmallMax - 1_000_000 // with its fee below what has the token's anchor renewed
	for name, before := range map[string]bool{"before release": true, "in the background": false} {
		t.Run(name, func(t *testing.T) {
			w := newWitnesses(t, 1, 1, before)
			d := signertest.New(t, signertest.Options{Open: w.open, TokenAnchor: &memoryAnchor{}})
			wallet := d.Wallets[signertest.XEM]
			bound, unbounded := hostBlast(t, d.Force, wallet.ID, before)
			if unbounded == before {
				t.Errorf("the blast radius with cosigning first %t is unbounded %t", before, unbounded)
			}
			// What a single rollback could repeat is what the limits admit and the anchor's value once more.
			limited, _ := hostBlast(t, d.Force, wallet.ID, true)
			tooMuch := limited + signertest.SmallMax

			files := []string{d.StorePath(), filepath.Join(d.Dir, "anchor"), w.cosigned()}
			left := uint64(0)
			for left <= tooMuch {
				d.Until("the newest head is cosigned, or the signer refuses the journal", func() bool {
					r := ready(t, d.Signer)
					return r.Ready && r.Cosigned == r.Size || hasReason(r, "journal_rolled_back")
				})
				if !ready(t, d.Signer).Ready {
					break
				}
				w.setDown(!before, 0) // before release, the thief has to let the witness hear of it
				var old [][]byte
				for _, name := range files {
					old = append(old, readFile(t, name))
				}
				o := d.Submit(t.Context(), d.Signer, "shop", d.Withdrawal(wallet, nem.Amount(amount)))
				if o.Transaction == nil {
					t.Fatalf("after %d left: %+v", left, o)
				}
				left += amount
				if err := d.Stop(); err != nil {
					t.Fatal(err)
				}
				w.stop() // a courier that is behind would tell the witness when it is up again
				for i, name := range files {
					writeFile(t, name, old[i])
				}
				w.setDown(false, 0)
				if err := d.TryStart(); err != nil {
					t.Fatal(err)
				}
			}
			if !unbounded && left > bound {
				t.Errorf("%d left, and the blast radius says at most %d", left, bound)
			}
			if before && left != amount || !before && left <= tooMuch {
				t.Errorf("%d left, with cosigning first %t", left, before)
			}
		})
	}
}

// hostBlast is what the blast radius says of the XEM of a wallet if the shop's key and the signer's host are stolen.
func hostBlast(t *testing.T, p *policy.Policy, wallet string, first bool) (bound uint64, unbounded bool) {
	t.Helper()
	stolen, err := p.ParseStolen("client:shop,network,database,anchor-file")
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range policy.BlastRadius(p, policy.BlastOptions{Stolen: stolen, Span: signertest.Hour, CosignedFirst: first}).Rows {
		if string(row.Wallet) != wallet || row.Asset != "xem" {
			continue
		}
		if row.Unbounded {
			return 0, true
		}
		if bound, err = strconv.ParseUint(row.Bound, 10, 64); err != nil {
			t.Fatal(err)
		}
		return bound, false
	}
	t.Fatal("no such row")
	return 0, false
}
