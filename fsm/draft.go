package fsm

import (
	"slices"

	"github.com/hashicorp/go-memdb"
)

// draft is what the commands of one entry have written and the database does not
// have yet. Apply reads through it, so that a command sees what those before it did,
// and each object goes into the database once, however often the entry changes it.
// A write there copies the way to the object in every index of its table: that is
// most of what applying costs.
//
// It also remembers what was read: the end of one attempt asks for its run and its
// version several times. Only Apply's goroutine uses it.
type draft struct {
	base   *memdb.Txn // the state before the entry
	tables map[string]*draftTable
	writes int // rows written so far
	undo   []overwritten
}

// draftTable is the part of a draft that belongs to one table.
type draftTable struct {
	*layout
	rows map[string]*draftRow // what was read or written, by primary key
	// written lists the rows that were ever written in the order in which they first
	// were; families has the last of each family among them.
	written  []*draftRow
	families map[string]*draftRow
	// scanned are the indexes in which what was written is kept in order, each since
	// its first scan.
	scanned []scannedIndex
}

// draftRow is an object as the database has it, and as the draft does; nil: there
// is none.
type draftRow struct {
	stored, obj any
	// place counts the rows written, from 1; 0: this one was not.
	place int
	// before is the one of the same family that was written before this.
	before *draftRow
}

// overwritten is what a row held before the command at work wrote it.
type overwritten struct {
	table *draftTable
	row   *draftRow
	obj   any
}

// maxDraftRows bounds what a draft keeps allocated from one entry to the next.
const maxDraftRows = 4096

func newDraft() *draft {
	d := &draft{tables: make(map[string]*draftTable, len(layouts))}
	for _, l := range layouts {
		d.tables[l.Name] = &draftTable{layout: l, rows: map[string]*draftRow{}, families: map[string]*draftRow{}}
	}
	return d
}

// get returns the object of that key, or nil.
func (d *draft) get(table string, key []byte) any { return d.row(d.tables[table], key).obj }

func (d *draft) row(t *draftTable, key []byte) *draftRow {
	if r := t.rows[string(key)]; r != nil {
		return r
	}
	obj, err := d.base.First(t.Name, indexID, key)
	must(err)
	r := &draftRow{stored: obj, obj: obj}
	t.rows[string(key)] = r
	return r
}

func (d *draft) put(table string, obj any) { d.write(table, obj, obj) }

func (d *draft) remove(table string, obj any) { d.write(table, obj, nil) }

// write gives the row of an object a new content; nil removes it.
func (d *draft) write(table string, of, content any) {
	t := d.tables[table]
	r := d.row(t, t.primary(of))
	d.undo = append(d.undo, overwritten{t, r, r.obj})
	t.set(r, content)
	if r.place > 0 {
		return
	}
	d.writes++
	r.place = d.writes
	t.written = append(t.written, r)
	if t.family != nil {
		family := string(t.family(of))
		r.before = t.families[family]
		t.families[family] = r
	}
}

// keep makes what the command at work has written part of the draft.
func (d *draft) keep() {
	clear(d.undo)
	d.undo = d.undo[:0]
}

// drop takes back what the command at work has written.
func (d *draft) drop() {
	for _, o := range slices.Backward(d.undo) {
		o.table.set(o.row, o.obj)
	}
	d.keep()
}

// begin makes the draft one of the entry that is applied to the state of base.
func (d *draft) begin(base *memdb.Txn) { d.base = base }

// commit puts what was written into the database, in one transaction, and empties
// the draft.
func (d *draft) commit(db *memdb.MemDB) {
	txn := db.Txn(true)
	for _, l := range layouts {
		t := d.tables[l.Name]
		for _, r := range t.written {
			switch {
			case r.obj == r.stored:
			case r.obj == nil:
				must(txn.Delete(l.Name, r.stored))
			default:
				must(txn.Insert(l.Name, r.obj))
			}
		}
		t.empty()
	}
	txn.Commit()
	d.base, d.writes = nil, 0
}

func (t *draftTable) empty() {
	t.scanned = nil
	if len(t.rows) > maxDraftRows {
		t.rows, t.families, t.written = map[string]*draftRow{}, map[string]*draftRow{}, nil
		return
	}
	clear(t.rows)
	clear(t.families)
	clear(t.written)
	t.written = t.written[:0]
}
