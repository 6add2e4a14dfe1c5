export function operationBreaches(file: string, text: string): string[];
export function checkOperations(): string[];
