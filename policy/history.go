package policy

import (
	"bytes"
	"errors"
	"fmt"
	"iter"
	"slices"

	"kura/nem"
)

// History is everything that a Usage holds, apart from the policy whose limits
// count it: what a snapshot of a ledger writes down and RestoreUsage reads.
type History struct {
	Last, Full int64 // policy times, unix milliseconds
	// What records refer to by number, in the order in which it was seen first.
	Wallets []WalletID
	Clients []ClientID
	Assets  []HistoryAsset
	Records iter.Seq[HistoryRecord] // in the order of time
	Length  int                     // how many records there are
}

// HistoryAsset is an asset as usage tells them apart: the same id may stand on
// two networks.
type HistoryAsset struct {
	Network nem.Network
	ID      nem.AssetID
}

// HistoryRecord is one asset of an authorisation.
type HistoryRecord struct {
	Time   int64 // policy time, unix milliseconds
	Amount uint64
	// Destination and Customer are the first 16 bytes of the SHA-256 of the
	// address's bytes and of the pseudonym.
	Destination, Customer [16]byte
	Wallet, Client, Asset uint16
	// Flags: 1, the authorisation's first record; 2, transferred and not only fee
	// or levy; 4, approved by a quorum.
	Flags uint8
}

// History gives what the usage holds. Its records are read from the usage as
// they are ranged over, so the usage must not change meanwhile.
func (u *Usage) History() History {
	h := History{
		Last: u.last, Full: u.full,
		Wallets: slices.Clone(u.wallets.names), Clients: slices.Clone(u.clients.names), Length: u.Len(),
	}
	for _, a := range u.assets.names {
		h.Assets = append(h.Assets, HistoryAsset{a.network, a.id})
	}
	h.Records = func(yield func(HistoryRecord) bool) {
		for at := u.events.first; at != u.events.next; at++ {
			r := u.events.at(at)
			if !yield(HistoryRecord{
				Time: r.time, Amount: r.amount, Destination: r.destination, Customer: r.customer,
				Wallet: r.wallet, Client: r.client, Asset: r.asset, Flags: r.flags,
			}) {
				return
			}
		}
	}
	return h
}

// RestoreUsage makes the usage that had this history, under the policy that was
// in force. Records that no usage can hold are an error. Length is not looked at.
func RestoreUsage(p *Policy, h History) (*Usage, error) {
	u := &Usage{last: h.Last, full: h.Full}
	for _, name := range h.Wallets {
		if _, err := u.wallets.number(name); err != nil {
			return nil, err
		}
	}
	for _, name := range h.Clients {
		if _, err := u.clients.number(name); err != nil {
			return nil, err
		}
	}
	for _, a := range h.Assets {
		if _, err := u.assets.number(assetKey{a.Network, a.ID}); err != nil {
			return nil, err
		}
	}
	if len(u.wallets.names) != len(h.Wallets) || len(u.clients.names) != len(h.Clients) || len(u.assets.names) != len(h.Assets) {
		return nil, errors.New("usage: a name stands twice in the history")
	}
	time := int64(0)
	for x := range h.Records {
		r := record{
			time: x.Time, amount: x.Amount, flags: x.Flags,
			windowKey: windowKey{destination: x.Destination, customer: x.Customer, wallet: x.Wallet, client: x.Client, asset: x.Asset},
		}
		if err := u.holds(&r, time); err != nil {
			return nil, err
		}
		time = r.time
		u.events.push(r)
	}
	u.Bind(p)
	return u, nil
}

// holds tells why a record cannot follow one of a policy time in this usage.
func (u *Usage) holds(r *record, time int64) error {
	switch {
	case r.time < time || r.time > u.last:
		return fmt.Errorf("usage: a record at %d after one at %d, the newest at %d", r.time, time, u.last)
	case int(r.wallet) >= len(u.wallets.names) || int(r.client) >= len(u.clients.names) || int(r.asset) >= len(u.assets.names):
		return errors.New("usage: a record refers to a name that the history does not have")
	case r.flags&^(firstOfEvent|movedByClient|quorumApproved) != 0:
		return fmt.Errorf("usage: a record has the flags %#x", r.flags)
	case u.events.empty() && r.flags&firstOfEvent == 0:
		return errors.New("usage: the history begins within an authorisation")
	}
	return nil
}

// Listed gives all entries so that RestoreBook makes the same book of them: by
// address, and those of one address in the order in which decisions see them.
func (b *Book) Listed() []Entry {
	if b == nil {
		return nil
	}
	addresses := make([]nem.Address, 0, len(b.byAddress.base)+len(b.byAddress.recent))
	for a := range b.byAddress.recent {
		addresses = append(addresses, a)
	}
	for a := range b.byAddress.base {
		if _, changed := b.byAddress.recent[a]; !changed {
			addresses = append(addresses, a)
		}
	}
	slices.SortFunc(addresses, func(x, y nem.Address) int { return bytes.Compare(x.Raw(), y.Raw()) })
	all := make([]Entry, 0, b.size)
	for _, a := range addresses {
		for _, d := range b.byAddress.get(a) {
			all = append(all, d.Entry)
		}
	}
	return all
}

// RestoreBook makes the book with these entries, as Listed gives them, and with
// the hash that names its history. Entries that no change could have brought are
// an error. Without a hash there is no book yet, and there must be no entries.
func RestoreBook(entries []Entry, hash Hash) (*Book, error) {
	if hash.IsZero() {
		if len(entries) > 0 {
			return nil, errors.New("book: entries without a history")
		}
		return nil, nil
	}
	book, err := (*Book)(nil).Apply(&BookChange{Add: entries})
	if err != nil {
		return nil, err
	}
	book.hash = hash
	return book, nil
}
