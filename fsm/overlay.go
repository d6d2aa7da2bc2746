package fsm

import (
	"bytes"
	"slices"

	"github.com/hashicorp/go-memdb"
)

// scannedIndex is what was written of an index, by family; of scans that are not of
// one family the name is empty.
type scannedIndex struct {
	name     string
	families map[string]*order
}

// order is what was written and stands in an index, or in the part of it that belongs
// to one family, in the order of its keys. Were it sorted for each scan, an entry with
// thousands of ends of one job would cost the square of that.
type order struct {
	rows []keyed
	// scans is how many are under way over these rows; a write then goes into a copy,
	// of which copies is the number.
	scans, copies int
}

type keyed struct {
	key []byte
	obj any
}

func compareKeys(a, b keyed) int { return bytes.Compare(a.key, b.key) }

// move takes what stood at one key out, and puts what stands at another in; a key
// that is nil is none.
func (o *order) move(from []byte, to keyed) {
	if o.scans > 0 {
		o.rows, o.scans = slices.Clone(o.rows), 0
		o.copies++
	}
	if from != nil {
		if i, found := slices.BinarySearchFunc(o.rows, keyed{key: from}, compareKeys); found {
			if bytes.Equal(from, to.key) {
				o.rows[i] = to
				return
			}
			o.rows = slices.Delete(o.rows, i, i+1)
		}
	}
	if to.key != nil {
		i, _ := slices.BinarySearchFunc(o.rows, to, compareKeys)
		o.rows = slices.Insert(o.rows, i, to)
	}
}

// set gives a row another content, and moves it in the indexes that were scanned.
func (t *draftTable) set(r *draftRow, content any) {
	old := r.obj
	r.obj = content
	of := content
	if of == nil {
		of = old
	}
	if of == nil || len(t.scanned) == 0 {
		return
	}
	family := ""
	if t.family != nil {
		family = string(t.family(of))
	}
	for _, x := range t.scanned {
		if o := x.families[""]; o != nil {
			t.moveIn(o, x.name, old, content)
		}
		if o := x.families[family]; o != nil && family != "" {
			t.moveIn(o, x.name, old, content)
		}
	}
}

func (t *draftTable) moveIn(o *order, index string, old, content any) {
	var from []byte
	var to keyed
	if old != nil {
		from = t.key(index, old)
	}
	if content != nil {
		to = keyed{t.key(index, content), content}
	}
	o.move(from, to)
}

// orderOf returns what was written of an index, or of one family of it.
func (t *draftTable) orderOf(index string, family []byte) *order {
	i := slices.IndexFunc(t.scanned, func(x scannedIndex) bool { return x.name == index })
	if i < 0 {
		i = len(t.scanned)
		t.scanned = append(t.scanned, scannedIndex{index, map[string]*order{}})
	}
	families := t.scanned[i].families
	if o := families[string(family)]; o != nil {
		return o
	}
	o := &order{}
	for r := range t.writtenOf(family) {
		if r.obj == nil {
			continue
		}
		if key := t.key(index, r.obj); key != nil {
			o.rows = append(o.rows, keyed{key, r.obj})
		}
	}
	slices.SortFunc(o.rows, compareKeys)
	families[string(family)] = o
	return o
}

// writtenOf yields the rows of a family that were written; all of them if it is nil.
func (t *draftTable) writtenOf(family []byte) func(yield func(*draftRow) bool) {
	if family == nil {
		return slices.Values(t.written)
	}
	return func(yield func(*draftRow) bool) {
		for r := t.families[string(family)]; r != nil && yield(r); r = r.before {
		}
	}
}

// over lays what the draft has written over what the database yields of an index:
// the objects whose keys begin with the prefix, from start on. What is written later
// is not seen. The caller must say when it is done.
func (d *draft) over(it memdb.ResultIterator, table, index string, prefix, start []byte) *overlay {
	t := d.tables[table]
	o := &overlay{ResultIterator: it, table: t, index: index, until: d.writes}
	family := t.familyIn(index, prefix)
	if len(t.written) == 0 || (family != nil && t.families[string(family)] == nil) {
		return o
	}
	o.of = t.orderOf(index, family)
	o.of.scans++
	o.copy = o.of.copies
	first, _ := slices.BinarySearchFunc(o.of.rows, keyed{key: start}, compareKeys)
	o.mine = o.of.rows[first:]
	end, _ := slices.BinarySearchFunc(o.mine, prefix, func(row keyed, prefix []byte) int {
		if bytes.HasPrefix(row.key, prefix) {
			return -1
		}
		return 1
	})
	o.mine = o.mine[:end]
	return o
}

// overlay merges two sequences in the order of their keys.
type overlay struct {
	memdb.ResultIterator // what the database has
	table                *draftTable
	index                string
	until                int     // rows written later do not count
	mine                 []keyed // what the draft has, in order
	theirs               keyed   // the next of the database; no object: not read yet
	ended                bool    // the database has no more
	// of is what mine is a part of, nil if the draft has nothing, and copy which copy
	// of it.
	of   *order
	copy int
}

// done ends a scan.
func (o *overlay) done() {
	if o.of != nil && o.copy == o.of.copies {
		o.of.scans--
	}
}

// Next returns the next object, or nil.
func (o *overlay) Next() any {
	if o.of == nil {
		return o.ResultIterator.Next()
	}
	for o.theirs.obj == nil && !o.ended {
		obj := o.ResultIterator.Next()
		if obj == nil {
			o.ended = true
		} else if r := o.table.rows[string(o.table.primary(obj))]; r == nil || r.place == 0 || r.place > o.until {
			o.theirs = keyed{o.table.key(o.index, obj), obj}
		}
	}
	next := o.theirs
	if len(o.mine) > 0 && (next.obj == nil || bytes.Compare(o.mine[0].key, next.key) < 0) {
		next, o.mine = o.mine[0], o.mine[1:]
		return next.obj
	}
	o.theirs = keyed{}
	return next.obj
}
