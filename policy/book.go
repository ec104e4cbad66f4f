package policy

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"

	"github.com/go-json-experiment/json"

	"kura/nem"
)

// MaxEntries is how many destinations all books together hold.
const MaxEntries = 100_000

// Entry is a destination of an address book: an address and a message rule. An
// exchange credits by message, so the address alone is not a payee.
type Entry struct {
	Book    string      `json:"book"` // as the policy names it
	Name    string      `json:"name"` // unique within its book
	Network string      `json:"network"`
	Address string      `json:"address"`
	Message MessageRule `json:"message"`
	LastDay Day         `json:"lastDay"`
}

// EntryName finds an entry.
type EntryName struct {
	Book string `json:"book"`
	Name string `json:"name"`
}

// BookChange is the document of a proposal that changes address books. Entries
// to remove are taken out first, so that one change can replace an entry.
type BookChange struct {
	Remove []EntryName `json:"remove"`
	Add    []Entry     `json:"add"`
}

// Book holds the entries of all address books. It is an immutable value and
// safe for concurrent use; a change costs a copy of what changed lately, not of
// the whole.
type Book struct {
	byName    layered[EntryName, *destination]
	byAddress layered[nem.Address, []*destination]
	size      int
	hash      Hash
}

// destination is an entry as parsed.
type destination struct {
	Entry
	address nem.Address
	rule    messageRule
}

// layered is a map whose recent changes lie above a base that many versions
// share. In recent, a zero value says that the key is gone.
type layered[K comparable, V any] struct {
	base, recent map[K]V
}

func (l *layered[K, V]) get(k K) V {
	if v, ok := l.recent[k]; ok {
		return v
	}
	return l.base[k]
}

// fork gives a copy that can be changed without the original noticing.
func (l *layered[K, V]) fork() layered[K, V] {
	const most = 1024
	if len(l.recent) <= most {
		recent := maps.Clone(l.recent)
		if recent == nil {
			recent = map[K]V{}
		}
		return layered[K, V]{l.base, recent}
	}
	base := make(map[K]V, len(l.base)+len(l.recent))
	maps.Copy(base, l.base)
	maps.Copy(base, l.recent)
	return layered[K, V]{base, map[K]V{}}
}

// ParseBookChange reads the JSON text of a change: every member, in order, no
// white space, as BookChange.Text writes it.
func ParseBookChange(text []byte) (*BookChange, error) {
	var c BookChange
	if err := json.Unmarshal(text, &c, json.RejectUnknownMembers(true)); err != nil {
		return nil, Errors{decodeError(err)}
	}
	if canonical := c.Text(); !bytes.Equal(canonical, text) {
		return nil, Errors{{What: "the address-book change is not in compiled form", Want: "want every member, in order, no white space: " + excerpt(canonical, 0)}}
	}
	if len(c.Add) == 0 && len(c.Remove) == 0 {
		return nil, Errors{{What: "a change that changes nothing", Want: "add or remove an entry"}}
	}
	return &c, nil
}

// Text is the change's JSON, which is what a proposal carries.
func (c *BookChange) Text() []byte {
	text, err := json.Marshal(c, json.Deterministic(true))
	if err != nil {
		// Only strings that are not UTF-8 get here; no such text parses.
		return nil
	}
	return text
}

// Apply gives the book with the change made, or an Errors with everything that
// stands against it. The book itself stays as it was.
func (b *Book) Apply(c *BookChange) (*Book, error) {
	text := c.Text()
	if text == nil {
		return nil, Errors{{What: "the change is not valid UTF-8"}}
	}
	next := b.fork()
	var errs Errors
	for i, name := range c.Remove {
		old := next.byName.get(name)
		if old == nil {
			errs = append(errs, &Error{Path: fmt.Sprintf("remove[%d]", i), What: fmt.Sprintf("no entry %s in book %s", quoted(name.Name), quoted(name.Book))})
			continue
		}
		next.byName.recent[name] = nil
		rest := slices.DeleteFunc(slices.Clone(next.byAddress.get(old.address)), func(d *destination) bool { return d == old })
		next.byAddress.recent[old.address] = rest
		next.size--
	}
	for i := range c.Add {
		d, problems := parseEntry(fmt.Sprintf("add[%d]", i), c.Add[i])
		if len(problems) > 0 {
			errs = append(errs, problems...)
			continue
		}
		if err := next.insert(d); err != nil {
			err.Path = fmt.Sprintf("add[%d]%s", i, err.Path)
			errs = append(errs, err)
		}
	}
	if next.size > MaxEntries {
		errs = append(errs, &Error{What: fmt.Sprintf("%d entries", next.size), Want: fmt.Sprintf("want at most %d", MaxEntries)})
	}
	if len(errs) > 0 {
		return nil, errs
	}
	previous, inner := b.Hash(), sha256.Sum256(text)
	next.hash = sha256.Sum256(slices.Concat(previous[:], inner[:]))
	return next, nil
}

func (b *Book) fork() *Book {
	if b == nil {
		b = &Book{}
	}
	return &Book{byName: b.byName.fork(), byAddress: b.byAddress.fork(), size: b.size, hash: b.hash}
}

func (b *Book) insert(d *destination) *Error {
	name := EntryName{d.Book, d.Name}
	if b.byName.get(name) != nil {
		return &Error{Path: ".name", What: fmt.Sprintf("entry %s stands in book %s already", quoted(d.Name), quoted(d.Book)), Want: "remove it in the same change to replace it"}
	}
	there := b.byAddress.get(d.address)
	for _, other := range there {
		if other.Book == d.Book && other.Message == d.Message {
			return &Error{Path: ".address", What: fmt.Sprintf("entry %s of the book says the same", quoted(other.Name)), Want: "one entry for each address and message rule"}
		}
	}
	b.byName.recent[name] = d
	b.byAddress.recent[d.address] = append(slices.Clip(slices.Clone(there)), d)
	b.size++
	return nil
}

func parseEntry(path string, e Entry) (*destination, Errors) {
	v := &validator{}
	d := &destination{Entry: e}
	v.name(path+".book", e.Book)
	v.line(path+".name", e.Name, 100)
	if e.Name == "" {
		v.fail(path+".name", "name the destination, so that people know it", "no name")
	}
	if e.LastDay != "" {
		if _, err := e.LastDay.end(); err != nil {
			v.fail(path+".lastDay", `want a day as 2027-01-31, or "" for no end`, "%s is no day", quoted(string(e.LastDay)))
		}
	}
	if network, ok := v.network(path+".network", e.Network); ok {
		var err error
		if d.address, err = nem.ParseAddress(network, e.Address); err != nil {
			v.fail(path+".address", "want an address of "+e.Network, "%v", err)
		} else if d.address.String() != e.Address {
			v.fail(path+".address", "want "+d.address.String(), "the address is not in its plain form")
		}
		rule, mistake := parseMessageRule(e.Message, network.Chain())
		if mistake != nil {
			mistake.Path = path + ".message" + mistake.Path
			v.errs = append(v.errs, mistake)
		}
		d.rule = rule
	}
	return d, v.errs
}

// Hash names the book by its history: the hash of the one before and of the
// change's text. The empty book's is zero.
func (b *Book) Hash() Hash {
	if b == nil {
		return Hash{}
	}
	return b.hash
}

// Len is how many entries there are.
func (b *Book) Len() int {
	if b == nil {
		return 0
	}
	return b.size
}

// Find gives an entry by its name.
func (b *Book) Find(name EntryName) (Entry, bool) {
	if b == nil {
		return Entry{}, false
	}
	d := b.byName.get(name)
	if d == nil {
		return Entry{}, false
	}
	return d.Entry, true
}

// At lists the entries with an address.
func (b *Book) At(a nem.Address) []Entry {
	return names(b.at(a), func(d *destination) Entry { return d.Entry })
}

func (b *Book) at(a nem.Address) []*destination {
	if b == nil {
		return nil
	}
	return b.byAddress.get(a)
}

// Entries lists everything by book and name.
func (b *Book) Entries() []Entry {
	if b == nil {
		return nil
	}
	all := make([]Entry, 0, b.size)
	for _, d := range b.byName.recent {
		if d != nil {
			all = append(all, d.Entry)
		}
	}
	for name, d := range b.byName.base {
		if _, changed := b.byName.recent[name]; !changed && d != nil {
			all = append(all, d.Entry)
		}
	}
	slices.SortFunc(all, func(x, y Entry) int {
		if c := bytes.Compare([]byte(x.Book), []byte(y.Book)); c != 0 {
			return c
		}
		return bytes.Compare([]byte(x.Name), []byte(y.Name))
	})
	return all
}

// Check finds what is wrong with the entries to add, whatever book they go to.
func (c *BookChange) Check() error {
	var errs Errors
	for i := range c.Add {
		_, problems := parseEntry(fmt.Sprintf("add[%d]", i), c.Add[i])
		errs = append(errs, problems...)
	}
	if len(errs) > 0 {
		return errs
	}
	return nil
}
