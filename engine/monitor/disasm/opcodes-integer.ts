/** Integer and system instructions (SDM volume 2, appendix A). table.ts has the grammar of a row. */

const ALU = '{add or adc sbb and sub xor cmp}';
const SHIFT = '{rol ror rcl rcr shl shr sal sar}';
const CC = '{o no b ae e ne be a s ns p np l ge le g}';

export const ONE_BYTE = `
00+8 ${ALU}b Eb,Gb
01+8 ${ALU}* Ev,Gv
02+8 ${ALU}b Gb,Eb
03+8 ${ALU}* Gv,Ev
04+8 ${ALU}b AL,Ib
05+8 ${ALU}* rAX,Iz
06:n push^ ES
07:n pop^ ES
0e:n push^ CS
16:n push^ SS
17:n pop^ SS
1e:n push^ DS
1f:n pop^ DS
27:n daa
2f:n das
37:n aaa
3f:n aas
40+r:n inc* Zv
48+r:n dec* Zv
50+r push^ Zs
58+r pop^ Zs
60:n pusha*
61:n popa*
62:nm bound Gv,M
63:n arpl Ew,Gw
63:l movslq Gv,Ed
68 push^ Izs
69 imul* Gv,Ev,Iz
6a push^ Ibs
6b imul* Gv,Ev,Ibs
6c insb Yb,DX
6d ins% Yb,DX
6e outsb DX,Xb
6f outs% DX,Xb
70+1 j${CC} Jb
80/* ${ALU}b Eb,Ib
81/* ${ALU}* Ev,Iz
82/*:n ${ALU}b Eb,Ib
83/* ${ALU}* Ev,Ibs
84 testb Eb,Gb
85 test* Ev,Gv
86 xchgb Eb,Gb
87 xchg* Ev,Gv
88 movb Eb,Gb
89 mov* Ev,Gv
8a movb Gb,Eb
8b mov* Gv,Ev
8c:m movw M,Sw
8c:r mov* Ev,Sw
8d:m lea* Gv,M
8e:m movw Sd,M
8e:r mov* Sd,Ev
8f/0 pop^ Es
f3.90 pause
90:o nop
90+r xchg* rAX,Zv
98 cbtw|cwtl|cltq
99 cwtd|cltd|cqto
9a:n lcall* Ap
9b wait
9c pushf^
9d popf^
9e sahf
9f lahf
a0:n movb AL,O
a0:l movabsb AL,O
a1:n mov* rAX,O
a1:l movabs* rAX,O
a2:n movb O,AL
a2:l movabsb O,AL
a3:n mov* O,rAX
a3:l movabs* O,rAX
a4 movsb Yb,Xb
a5 movs* Yb,Xb
a6 cmpsb Xb,Yb
a7 cmps* Xb,Yb
a8 testb AL,Ib
a9 test* rAX,Iz
aa stosb Yb,AL
ab stos* Yb,rAX
ac lodsb AL,Xb
ad lods* rAX,Xb
ae scasb AL,Yb
af scas* rAX,Yb
b0+r movb Zb,Ib
b8+r:w movabsq Zv,Iv
b8+r mov* Zv,Iv
c0/* ${SHIFT}b Eb,Ib
c1/* ${SHIFT}* Ev,Ib
c2 ret^ Iw
c3 ret^
c4:nm les* Gv,M
c5:nm lds* Gv,M
c6/0 movb Eb,Ib
c6=f8 xabort Ib
c7/0 mov* Ev,Iz
c7=f8 xbegin Jz
c8 =enter Iw,Ib
c9 leave
ca lret* Iw
cb lret*
cc int3
cd int Ib
ce:n into
cf iret*
d0/* ${SHIFT}b Eb,1
d1/* ${SHIFT}* Ev,1
d2/* ${SHIFT}b Eb,CL
d3/* ${SHIFT}* Ev,CL
d4:n aam I10
d5:n aad I10
d6:n salc
d7 xlatb
e0 loopne Jb
e1 loope Jb
e2 loop Jb
e3 jcxz&jecxz&jrcxz Jb
e4 inb AL,Ib
e5 in% zAX,Ib
e6 outb Ib,AL
e7 out% Ib,zAX
e8 call^ Jz
e9 jmp Jz
ea:n ljmp* Ap
eb jmp Jb
ec inb AL,DX
ed in% zAX,DX
ee outb DX,AL
ef out% DX,zAX
f1 int1
f4 hlt
f5 cmc
f6/0 testb Eb,Ib
f6/1 testb Eb,Ib
f6/* {- - not neg mul imul div idiv}b Eb
f7/0 test* Ev,Iz
f7/1 test* Ev,Iz
f7/* {- - not neg mul imul div idiv}* Ev
f8+1 {clc stc cli sti cld std}
fe/* {inc dec}b Eb
ff/* {inc dec}* Ev
ff/2 call^ *Es
ff/3:m lcall* *M
ff/4 jmp^ *Es
ff/5:m ljmp* *M
ff/6 push^ Es
`;

export const TWO_BYTE = `
0f00/*:m {sldt str lldt ltr}w M
0f00/*:r {sldt str}* Ev
0f00/*:r {- - lldt ltr}w Ew
0f00/* {- - - - verr verw} Ew
0f01=c1 vmcall
0f01=c2 vmlaunch
0f01=c3 vmresume
0f01=c4 vmxoff
0f01=c8 monitor
0f01=c9 mwait
0f01=ca clac
0f01=cb stac
0f01=cf encls
0f01=d0 xgetbv
0f01=d1 xsetbv
0f01=d4 vmfunc
0f01=d5 xend
0f01=d6 xtest
0f01=d8 vmrun sAX
f3.0f01=d9 vmgexit
0f01=d9 vmmcall
0f01=da vmload sAX
0f01=db vmsave sAX
0f01=dc stgi
0f01=dd clgi
0f01=de skinit EAX
0f01=df invlpga ECX,sAX
np.0f01=e8 serialize
0f01=ee rdpkru
0f01=ef wrpkru
0f01=f8:l swapgs
0f01=f9 rdtscp
0f01=fa monitorx
0f01=fb mwaitx
0f01=fc clzero
0f01/*:m {sgdt sidt lgdt lidt}$ M
0f01/4:m smsww M
0f01/4:r smsw* Ev
0f01/6 lmsww Ew
0f01/7:m invlpg M
0f02 lar* Gv,Ev
0f03 lsl* Gv,Ev
0f05 syscall
0f06 clts
0f07 sysret~
0f08 invd
f3.0f09 wbnoinvd
0f09 wbinvd
0f0b ud2
0f0d/*:m {prefetch prefetchw prefetchwt1 prefetch prefetch prefetch prefetch prefetch} M
0f0d nop* Ev
0f18/*:m {prefetchnta prefetcht0 prefetcht1 prefetcht2} M
0f18 nop* Ev
0f19 nop* Ev
0f1a nop* Ev
0f1b nop* Ev
0f1c nop* Ev
0f1d nop* Ev
f3.0f1e=fa endbr64
f3.0f1e=fb endbr32
f3.0f1e/1:r rdssp~ Ey
0f1e nop* Ev
0f1f nop* Ev
0f20 mov@ Rm,Cd
0f21 mov@ Rm,Dd
0f22 mov@ Cd,Rm
0f23 mov@ Dd,Rm
0f30+1 {wrmsr rdtsc rdmsr rdpmc sysenter sysexit - getsec}
0f40+1 cmov${CC}* Gv,Ev
np.0f78 vmread@ Em,Gm
np.0f79 vmwrite@ Gm,Em
0f80+1 j${CC} Jz
0f90+1 set${CC} Eb
0fa0 push^ FS
0fa1 pop^ FS
0fa2 cpuid
0fa3 bt* Ev,Gv
0fa4 shld* Ev,Gv,Ib
0fa5 shld* Ev,Gv,CL
0fa8 push^ GS
0fa9 pop^ GS
0faa rsm
0fab bts* Ev,Gv
0fac shrd* Ev,Gv,Ib
0fad shrd* Ev,Gv,CL
66.0fae/7:m clflushopt M
66.0fae/6:m clwb M
f3.0fae/*:rl {rdfsbase rdgsbase wrfsbase wrgsbase}~ Ey
f3.0fae/5:r incssp~ Ey
f3.0fae/6:m clrssbsy M
0fae/*:mw {fxsave fxrstor - - xsave xrstor xsaveopt}64 M
0fae/*:m {fxsave fxrstor ldmxcsr stmxcsr xsave xrstor xsaveopt clflush} M
0fae/*:r {- - - - - lfence mfence sfence}
0faf imul* Gv,Ev
0fb0 cmpxchgb Eb,Gb
0fb1 cmpxchg* Ev,Gv
0fb2:m lss* Gv,M
0fb3 btr* Ev,Gv
0fb4:m lfs* Gv,M
0fb5:m lgs* Gv,M
0fb6 movzb* Gv,Eb
0fb7 movzw* Gv,Ew
f3.0fb8 popcnt* Gv,Ev
0fb9 ud1* Gv,Ev
0fba/* {- - - - bt bts btr btc}* Ev,Ib
0fbb btc* Ev,Gv
f3.0fbc tzcnt* Gv,Ev
0fbc bsf* Gv,Ev
f3.0fbd lzcnt* Gv,Ev
0fbd bsr* Gv,Ev
0fbe movsb* Gv,Eb
0fbf movsw* Gv,Ew
0fc0 xaddb Eb,Gb
0fc1 xadd* Ev,Gv
0fc7/1:mw cmpxchg16b M
0fc7/1:m cmpxchg8b M
0fc7/*:mw {- - - xrstors xsavec xsaves}64 M
0fc7/*:m {- - - xrstors xsavec xsaves} M
66.0fc7/6:m vmclear M
f3.0fc7/6:m vmxon M
0fc7/*:m {- - - - - - vmptrld vmptrst} M
0fc7/6:r rdrand* Ev
f3.0fc7/7:r rdpid Em
0fc7/7:r rdseed* Ev
0fc8+r bswap* Zv
0fff ud0 Gv,Ev
`;

export const THREE_BYTE = `
f2.0f38f0 crc32b Gy,Eb
f2.0f38f1 crc32* Gy,Ev
0f38f0:m movbe* Gv,M
0f38f1:m movbe* M,Gv
66.0f3880:m invept Gm,M
66.0f3881:m invvpid Gm,M
66.0f3882:m invpcid Gm,M
66.0f38f6 adcx~ Gy,Ey
f3.0f38f6 adox~ Gy,Ey
`;
