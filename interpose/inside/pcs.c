/* Code address -> number and rule. A lookup reads one or two cache lines; an
 * insertion claims a slot by compare-and-swap and publishes the number after the
 * rule. Levels instead of one growing table: entries never move, so readers need
 * no protection. */
#include "interpose/inside/pcs.h"

#include "interpose/inside/cfi.h"
#include "interpose/inside/context.h"
#include "interpose/inside/hints.h"
#include "interpose/inside/process.h"
#include "interpose/inside/sys.h"

#include <string.h>

#define PROBES 8
#define GONE 1    /* no code is at address 1: the place of a forgotten one, to be used again */
#define DROPPED 2 /* forgotten while it was being learnt: never used again, since the learner still writes to it */

static uint64_t hash_of(uint64_t key)
{
    return key * 0x9e3779b97f4a7c15ull;
}

static struct pc_entry *level_entries(struct pc_table *table, int level)
{
    struct pc_entry *entries = atomic_load_explicit(&table->level[level], memory_order_acquire);
    if (entries)
        return entries;
    size_t bytes = sizeof *entries << (PC_LEVEL0_BITS + level);
    struct pc_entry *fresh = process_map_wiped(bytes);
    if (!fresh)
        return NULL;
    if (atomic_compare_exchange_strong(&table->level[level], &entries, fresh))
        return fresh;
    process_unmap_wiped(fresh, bytes); /* another thread was faster */
    return entries;
}

/* The entry of a key, or a free one claimed for it, then *ret_mine; NULL where
 * there is no room. */
static struct pc_entry *find_or_claim(struct pc_table *table, uint64_t key, bool *ret_mine)
{
    *ret_mine = false;
    for (int level = 0; level < PC_LEVELS; level++) {
        struct pc_entry *entries = level_entries(table, level);
        if (!entries)
            return NULL;
        uint64_t mask = (1ull << (PC_LEVEL0_BITS + level)) - 1, at = hash_of(key) >> 40, gone = GONE;
        struct pc_entry *reusable = NULL;
        for (int i = 0; i < PROBES; i++) {
            struct pc_entry *entry = &entries[(at + (uint64_t)i) & mask];
            uint64_t found = atomic_load_explicit(&entry->key, memory_order_acquire);
            if (found == key)
                return entry;
            if (found == GONE && !reusable)
                reusable = entry;
            if (found == 0 && reusable)
                break;
            /* Another thread may take it first, perhaps for the same address. */
            if (found == 0) {
                *ret_mine = atomic_compare_exchange_strong(&entry->key, &found, key);
                if (*ret_mine || found == key)
                    return entry;
            }
        }
        /* It may be in a later level as well: then it gets a second number. */
        if (reusable && atomic_compare_exchange_strong(&reusable->key, &gone, key)) {
            *ret_mine = true;
            return reusable;
        }
    }
    return NULL;
}

static struct rule read_rule(const struct pc_entry *entry)
{
    uint64_t words[2];
    struct rule rule;

    for (int i = 0; i < 2; i++)
        words[i] = atomic_load_explicit(&entry->rule[i], memory_order_relaxed);
    memcpy(&rule, words, sizeof rule);
    return rule;
}

static void write_rule(struct pc_entry *entry, const struct rule *rule)
{
    uint64_t words[2];

    memcpy(words, rule, sizeof words);
    /* Who sees a word of it sees that the key is another, too. */
    atomic_thread_fence(memory_order_release);
    for (int i = 0; i < 2; i++)
        atomic_store_explicit(&entry->rule[i], words[i], memory_order_relaxed);
}

static uint32_t announce(struct context *c, uint64_t pc, uint32_t module, bool exact)
{
    uint32_t id = atomic_fetch_add(&process->pcs.last_id, 1) + 1;

    c = context_room(c, ENCODE_EVENT_MAX);
    if (!c || c->orphaned) /* nobody would read it */
        return 0;
    context_publish(c, encode_pc(&c->encoder, c->at, id, module, pc, exact));
    return id;
}

/* A return address that no call has made: a function's first instruction, with no
 * function and no call before it. makecontext's stacks begin so. */
static bool is_function_start(struct context *c, const struct cfi_tables *tables, uint64_t pc)
{
    struct rule rule;

    cfi_find_rule(tables, pc, &c->work, &rule);
    return rule.kind != RULE_NONE && memory_is_code(&c->own_stack.text, pc - ARCH_CALL_BYTES, ARCH_CALL_BYTES) &&
           !arch_after_call(pc);
}

static bool is_sigreturn(struct context *c, uint64_t pc)
{
    return memory_is_code(&c->own_stack.text, pc, ARCH_SIGRETURN_BYTES) && arch_at_sigreturn(pc);
}

static struct pc_known learn(struct context *c, uint64_t pc, bool exact)
{
    /* A call may be the last instruction of its function, or of its module. */
    uint64_t instruction = pc - !exact;
    struct cfi_tables tables;
    struct pc_known known;
    uint32_t module;

    if (module_find(c, instruction, &tables, &module))
        cfi_find_rule(&tables, instruction, &c->work, &known.rule);
    else
        known.rule = (struct rule){ .kind = RULE_NONE, .no_module = 1 };
    arch_mend_rule(&known.rule);
    /* Return trampolines have poor tables or none; nothing is read of code that
     * may be none. What only its tables call such is not believed: the next frame may
     * then be anywhere. */
    if ((known.rule.kind == RULE_NONE || known.rule.signal) &&
        (is_sigreturn(c, pc) || (exact && is_sigreturn(c, pc - ARCH_SIGRETURN_CALL_AT))))
        arch_signal_rule(&known.rule);
    else if (known.rule.signal)
        known.rule = (struct rule){ .kind = RULE_BROKEN };
    else if (known.rule.kind == RULE_NONE && !known.rule.no_module && !exact && is_function_start(c, &tables, pc))
        known.rule.kind = RULE_END;
    else if (ARCH_STUB_BYTES && known.rule.kind == RULE_NONE && !known.rule.no_module && exact &&
             memory_is_code(&c->own_stack.text, pc - ARCH_STUB_BYTES, 2 * ARCH_STUB_BYTES))
        arch_stub_rule(pc, &known.rule);
    known.id = announce(c, pc, module, exact);
    return known;
}

/* The addresses 0 to 2 have no code, and the table has other uses for them. */
static uint64_t key_of(uint64_t pc, bool exact)
{
    uint64_t key = (pc & ~PC_EXACT) | (exact ? PC_EXACT : 0);
    return key <= DROPPED ? DROPPED + 1 : key;
}

static const struct pc_entry *find(const struct pc_table *table, uint64_t key)
{
    for (int level = 0; level < PC_LEVELS; level++) {
        const struct pc_entry *entries = atomic_load_explicit(&table->level[level], memory_order_acquire);
        uint64_t mask = (1ull << (PC_LEVEL0_BITS + level)) - 1, at = hash_of(key) >> 40;
        if (!entries)
            return NULL;
        for (int i = 0; i < PROBES; i++) {
            const struct pc_entry *entry = &entries[(at + (uint64_t)i) & mask];
            if (atomic_load_explicit(&entry->key, memory_order_acquire) == key)
                return entry;
        }
    }
    return NULL;
}

bool pc_look_up(const struct pc_table *table, uint64_t pc, bool exact, struct pc_known *ret)
{
    const uint64_t key = key_of(pc, exact);
    const struct pc_entry *entry = find(table, key);

    ret->id = entry ? atomic_load_explicit(&entry->id, memory_order_acquire) : 0;
    if (!ret->id)
        return false;
    ret->rule = read_rule(entry);
    /* It may have been forgotten meanwhile, and be another's, or learnt anew. */
    atomic_thread_fence(memory_order_acquire);
    return atomic_load_explicit(&entry->key, memory_order_relaxed) == key &&
           atomic_load_explicit(&entry->id, memory_order_relaxed) == ret->id;
}

bool pc_is_known(const struct pc_table *table, uint64_t pc)
{
    return find(table, pc);
}

struct pc_known pc_learn(struct context *c, uint64_t pc, bool exact)
{
    bool mine;
    struct pc_entry *entry = find_or_claim(&process->pcs, key_of(pc, exact), &mine);
    struct pc_known known = learn(c, pc, exact);

    /* Otherwise another thread is at it, and the address gets two numbers. */
    if (mine) {
        write_rule(entry, &known.rule);
        atomic_store_explicit(&entry->id, known.id, memory_order_release);
    }
    return known;
}

struct pc_known pc_find(struct context *c, uint64_t pc, bool exact)
{
    struct pc_known known;

    return LIKELY(pc_look_up(&process->pcs, pc, exact, &known)) ? known : pc_learn(c, pc, exact);
}

uint32_t pc_number(struct context *c, uint64_t pc)
{
    uint64_t cached = rule_cache_takes(pc) ? rule_cache_get(&c->rules, pc) : ~0ull;

    if (cached != ~0ull && cached >> RULE_SHORT_BITS)
        return (uint32_t)(cached >> RULE_SHORT_BITS);
    struct pc_known known = pc_find(c, pc, false);
    if (known.id && rule_cache_takes(pc))
        rule_cache_put(&c->rules, pc, known.id, arch_short(&known.rule));
    return known.id;
}

void pc_table_forget(struct pc_table *table, uint64_t start, uint64_t end)
{
    for (int level = 0; level < PC_LEVELS; level++) {
        struct pc_entry *entries = atomic_load_explicit(&table->level[level], memory_order_acquire);
        for (size_t i = 0; entries && i < 1ull << (PC_LEVEL0_BITS + level); i++) {
            uint64_t key = atomic_load_explicit(&entries[i].key, memory_order_relaxed), pc = key & ~PC_EXACT;
            if (pc < start || pc > end) /* end itself can be a return address */
                continue;
            if (atomic_load_explicit(&entries[i].id, memory_order_acquire)) {
                atomic_store_explicit(&entries[i].id, 0, memory_order_relaxed);
                key = GONE;
            } else {
                key = DROPPED;
            }
            atomic_store_explicit(&entries[i].key, key, memory_order_release);
        }
    }
}
