package jobspec

import (
	"bytes"
	"fmt"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Limits of a file's shape. HCL parses, walks and evaluates expressions by
// recursion, and Go ends the whole process, beyond recovery, when a stack grows
// past its limit. These bounds keep the depth far below that.
const (
	// maxNesting bounds brackets within brackets, templates and blocks included.
	maxNesting = 200
	// maxOperators bounds the operators, dots, indexes and template directives
	// of one attribute: each may add a level without a bracket, as in 1+1+1.
	maxOperators = 5000
	// A number with a huge exponent is short to write, and gigabytes long when it
	// is put into a string; products of numbers make such exponents, too.
	maxProducts    = 20 // of one attribute, quotients included
	maxNumberBytes = 32
	maxExponent    = 20
	// maxTokens bounds what the parser keeps of a source, about a hundred bytes
	// a token. No file within MaxFileBytes can have more.
	maxTokens = MaxFileBytes
)

// checkShape lexes a source and refuses what would be dangerous to parse. It
// reports nothing that the parser reports.
func checkShape(src Source) *hcl.Diagnostic {
	if tokensAtMost(src.Bytes) > maxTokens {
		return &hcl.Diagnostic{
			Severity: hcl.DiagError,
			Summary:  "File too large",
			Detail:   fmt.Sprintf("%s may have more than %d words and signs. Use several files.", src.Name, maxTokens),
			Subject:  fileStart(src).Ptr(),
		}
	}
	tokens, _ := hclsyntax.LexConfig(src.Bytes, src.Name, hcl.InitialPos)
	g := &guard{}
	for i := range tokens {
		if problem := g.next(&tokens[i]); problem != "" {
			return &hcl.Diagnostic{
				Severity: hcl.DiagError,
				Summary:  "Too complex",
				Detail:   problem,
				Subject:  tokens[i].Range.Ptr(),
			}
		}
	}
	return nil
}

// tokensAtMost returns a number that a text's tokens cannot pass, without lexing
// it: its words, and each byte that is no part of a word.
func tokensAtMost(text []byte) int {
	n, inWord := 0, false
	for _, c := range text {
		word := c == '_' || '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z'
		space := c == ' ' || c == '\t' || c == '\r'
		if !space && !(word && inWord) {
			n++
		}
		inWord = word
	}
	return n
}

// guard walks the tokens of a file.
type guard struct {
	open      []bracket
	inExpr    int // how many of open are part of an expression
	operators int // in the current attribute
	products  int // in the current attribute
	previous  hclsyntax.TokenType
}

type bracket struct {
	closer hclsyntax.TokenType
	body   bool // the brace of a block
}

var closers = map[hclsyntax.TokenType]hclsyntax.TokenType{
	hclsyntax.TokenOBrace:          hclsyntax.TokenCBrace,
	hclsyntax.TokenOBrack:          hclsyntax.TokenCBrack,
	hclsyntax.TokenOParen:          hclsyntax.TokenCParen,
	hclsyntax.TokenTemplateInterp:  hclsyntax.TokenTemplateSeqEnd,
	hclsyntax.TokenTemplateControl: hclsyntax.TokenTemplateSeqEnd,
}

// next takes one token and returns what is wrong with the file there, if
// anything.
func (g *guard) next(t *hclsyntax.Token) string {
	defer func() { g.previous = t.Type }()
	switch t.Type {
	case hclsyntax.TokenOBrace, hclsyntax.TokenOBrack, hclsyntax.TokenOParen,
		hclsyntax.TokenTemplateInterp, hclsyntax.TokenTemplateControl:
		g.push(t.Type)
	case hclsyntax.TokenCBrace, hclsyntax.TokenCBrack, hclsyntax.TokenCParen, hclsyntax.TokenTemplateSeqEnd:
		g.pop(t.Type)
	case hclsyntax.TokenNewline, hclsyntax.TokenComment:
		// A comment to the end of the line holds the line's end.
		if g.inExpr == 0 && bytes.HasSuffix(t.Bytes, []byte("\n")) {
			g.operators, g.products = 0, 0
		}
	case hclsyntax.TokenNumberLit:
		return checkNumber(t.Bytes)
	}
	g.count(t.Type)
	switch {
	case len(g.open) > maxNesting:
		return fmt.Sprintf("Brackets and blocks are nested more than %d deep here.", maxNesting)
	case g.operators > maxOperators:
		return fmt.Sprintf("This attribute has more than %d operators, indexes and template directives.", maxOperators)
	case g.products > maxProducts:
		return fmt.Sprintf("This attribute has more than %d multiplications and divisions.", maxProducts)
	}
	return ""
}

func (g *guard) push(opener hclsyntax.TokenType) {
	header := g.previous == hclsyntax.TokenIdent || g.previous == hclsyntax.TokenCQuote
	b := bracket{closers[opener], opener == hclsyntax.TokenOBrace && g.inExpr == 0 && header}
	if !b.body {
		g.inExpr++
	}
	g.open = append(g.open, b)
}

// pop ignores a closer that does not match: the file is wrong, and counting too
// deep is the safe side.
func (g *guard) pop(closer hclsyntax.TokenType) {
	last := len(g.open) - 1
	if last < 0 || g.open[last].closer != closer {
		return
	}
	if !g.open[last].body {
		g.inExpr--
	}
	g.open = g.open[:last]
}

// count counts a token that may nest an expression without a bracket.
func (g *guard) count(t hclsyntax.TokenType) {
	switch t {
	case hclsyntax.TokenStar, hclsyntax.TokenSlash:
		g.products++
		g.operators++
	case hclsyntax.TokenBang, hclsyntax.TokenMinus, hclsyntax.TokenPlus, hclsyntax.TokenPercent,
		hclsyntax.TokenAnd, hclsyntax.TokenOr, hclsyntax.TokenEqualOp, hclsyntax.TokenNotEqual,
		hclsyntax.TokenLessThan, hclsyntax.TokenLessThanEq,
		hclsyntax.TokenGreaterThan, hclsyntax.TokenGreaterThanEq, hclsyntax.TokenQuestion, hclsyntax.TokenDot,
		hclsyntax.TokenOBrack, hclsyntax.TokenTemplateControl:
		g.operators++
	}
}

func checkNumber(literal []byte) string {
	if len(literal) > maxNumberBytes {
		return fmt.Sprintf("This number has %d digits and signs: use at most %d.", len(literal), maxNumberBytes)
	}
	at := bytes.IndexAny(literal, "eE")
	if at < 0 {
		return ""
	}
	exponent, err := strconv.Atoi(string(literal[at+1:]))
	if err != nil || exponent > maxExponent || exponent < -maxExponent {
		return fmt.Sprintf("The exponent of this number is out of range: use -%d to %d.", maxExponent, maxExponent)
	}
	return ""
}
