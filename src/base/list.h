/* SPDX-License-Identifier: MIT */
/*
 * A circular doubly linked list whose nodes are inside their objects.
 *
 * Theory: an empty list is a node that points to itself, so that insertion and
 * removal have no special case. Every operation is O(1) and allocates nothing.
 * A removed node points to itself again, so it may be removed twice. The caller
 * serialises.
 */
#ifndef POLYRING_BASE_LIST_H
#define POLYRING_BASE_LIST_H

#include "base/compiler.h"

struct list {
	struct list *next;
	struct list *prev;
};

#define list_entry(node, type, member) container_of(node, type, member)

#define list_for_each(node, head) \
	for ((node) = (head)->next; (node) != (head); (node) = (node)->next)

/* Like list_for_each(); the body may remove @node. */
#define list_for_each_safe(node, after, head)                                 \
	for ((node) = (head)->next, (after) = (node)->next; (node) != (head); \
	     (node) = (after), (after) = (node)->next)

static inline void list_init(struct list *head)
{
	head->next = head;
	head->prev = head;
}

static inline bool list_empty(const struct list *head)
{
	return head->next == head;
}

static inline void list_insert_after(struct list *at, struct list *node)
{
	node->prev = at;
	node->next = at->next;
	at->next->prev = node;
	at->next = node;
}

static inline void list_push_back(struct list *head, struct list *node)
{
	list_insert_after(head->prev, node);
}

static inline void list_push_front(struct list *head, struct list *node)
{
	list_insert_after(head, node);
}

static inline void list_remove(struct list *node)
{
	node->prev->next = node->next;
	node->next->prev = node->prev;
	list_init(node);
}

/* Returns the removed first node, NULL when the list is empty. */
static inline struct list *list_pop_front(struct list *head)
{
	struct list *node = head->next;

	if (node == head)
		return NULL;
	list_remove(node);
	return node;
}

#endif
