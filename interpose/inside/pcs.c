/* pc -> number. A lookup reads one or two cache lines; an insertion claims a
 * slot by compare-and-swap and publishes the number after it. Levels instead of
 * one growing table: entries never move, so readers need no protection. */
#include "interpose/inside/pcs.h"

#include "interpose/inside/context.h"
#include "interpose/inside/process.h"
#include "interpose/inside/sys.h"

#define PROBES 8
#define GONE 1 /* no code is at address 1; fills the place of a forgotten one */

static uint64_t hash_of(uint64_t pc)
{
    return pc * 0x9e3779b97f4a7c15ull;
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
    sys_unmap(fresh, bytes); /* another thread was faster */
    return entries;
}

/* The entry of pc, or a free one claimed for it; NULL where there is no room. */
static struct pc_entry *find_or_claim(struct pc_table *table, uint64_t pc)
{
    for (int level = 0; level < PC_LEVELS; level++) {
        struct pc_entry *entries = level_entries(table, level);
        if (!entries)
            return NULL;
        uint64_t mask = (1ull << (PC_LEVEL0_BITS + level)) - 1, at = hash_of(pc) >> 40, gone = GONE;
        struct pc_entry *reusable = NULL;
        for (int i = 0; i < PROBES; i++) {
            struct pc_entry *entry = &entries[(at + (uint64_t)i) & mask];
            uint64_t key = atomic_load_explicit(&entry->pc, memory_order_acquire);
            if (key == pc)
                return entry;
            if (key == GONE && !reusable)
                reusable = entry;
            if (key == 0 && reusable)
                break;
            /* Another thread may take it first, perhaps for the same pc. */
            if (key == 0 && (atomic_compare_exchange_strong(&entry->pc, &key, pc) || key == pc))
                return entry;
        }
        /* It may be in a later level as well: then it gets a second number. */
        if (reusable && atomic_compare_exchange_strong(&reusable->pc, &gone, pc))
            return reusable;
    }
    return NULL;
}

static uint32_t announce(struct context *c, uint64_t pc)
{
    uint32_t module = module_number(c, pc - 1); /* a call may be the last instruction of its module */
    uint32_t id = atomic_fetch_add(&process->pcs.last_id, 1) + 1;

    c = context_room(c, ENCODE_EVENT_MAX);
    if (!c)
        return 0;
    context_publish(c, encode_pc(&c->encoder, c->at, id, module, pc, false));
    return id;
}

uint32_t pc_number(struct context *c, uint64_t pc)
{
    if (pc <= GONE) /* no code is there, and the table has other uses for these */
        pc = GONE + 1;
    __auto_type cached = &c->pcs.entry[hash_of(pc) >> (64 - PC_CACHE_BITS)];
    if (cached->pc == pc)
        return cached->id;

    struct pc_entry *entry = find_or_claim(&process->pcs, pc);
    uint32_t id = entry ? atomic_load_explicit(&entry->id, memory_order_acquire) : 0;
    if (!id) {
        /* Ours to number; or another thread is at it, then it gets two. */
        id = announce(c, pc);
        if (!id)
            return 0;
        if (entry)
            atomic_store_explicit(&entry->id, id, memory_order_release);
    }
    cached->pc = pc;
    cached->id = id;
    return id;
}

void pc_table_forget(struct pc_table *table, uint64_t start, uint64_t end)
{
    for (int level = 0; level < PC_LEVELS; level++) {
        struct pc_entry *entries = atomic_load_explicit(&table->level[level], memory_order_acquire);
        for (size_t i = 0; entries && i < 1ull << (PC_LEVEL0_BITS + level); i++) {
            uint64_t pc = atomic_load_explicit(&entries[i].pc, memory_order_relaxed);
            if (pc < start || pc >= end)
                continue;
            atomic_store_explicit(&entries[i].id, 0, memory_order_relaxed);
            atomic_store_explicit(&entries[i].pc, GONE, memory_order_release);
        }
    }
}
