/** Our own programs for the guest `linux-kvm`: C without a library, images committed beside their sources (build.ts). */
export const PROGRAMS = ['kvm-memslots', 'kvm-fuzz', 'kvm-modes'] as const;
